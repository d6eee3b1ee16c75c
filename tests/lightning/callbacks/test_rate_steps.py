"""Rate steps between distortion steps, in whole runs."""

import pytest
import torch

from nvrc_lightning.callbacks.rate_steps import RateSteps
from nvrc_lightning.modules.video_codec import VideoCodec
from tests.lightning.helpers import checkpoint, fit


@pytest.fixture
def rates(monkeypatch):
    """Collect after how many distortion steps the rate was asked for."""
    asked = []
    original = VideoCodec.bits_per_pixel

    def bits_per_pixel(self):
        asked.append(self.trainer.global_step)
        return original(self)

    monkeypatch.setattr(VideoCodec, "bits_per_pixel", bits_per_pixel)
    return asked


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--trainer.max_epochs=2",), [2, 4, 6, 8]),
        (("--trainer.max_epochs=3", "--trainer.accumulate_grad_batches=2"), [2, 4, 6]),
        (("--trainer.max_epochs=3", "--trainer.accumulate_grad_batches=3"), [2, 4, 6]),  # 3 batches, then the last
    ],
)
def test_a_rate_step_comes_after_every_second_step_whatever_a_step_is_made_of(tmp_path, rates, words, expected):
    run = fit(tmp_path, *words)
    assert rates == expected
    assert checkpoint(run)["global_step"] == expected[-1]


def test_without_rate_steps_every_step_minimises_the_rate(tmp_path, rates):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(NO_RATE_STEPS)
    fit(tmp_path, f"--config={overlay}")
    assert rates == list(range(8))


def test_accumulated_gradients_are_those_of_a_larger_batch(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(NO_NOISE)
    words = (f"--config={overlay}", "--data.patch=[24,16]", "--trainer.max_epochs=1", "--model.muon=false")
    whole = fit(tmp_path / "whole", *words, "--data.batch_size=32")
    parts = fit(tmp_path / "parts", *words, "--data.batch_size=8", "--trainer.accumulate_grad_batches=4")
    ours, theirs = (checkpoint(run) for run in (parts, whole))
    assert ours["global_step"] == theirs["global_step"] == 1
    states = zip(*(run["optimizer_states"][0]["state"].values() for run in (ours, theirs)), strict=True)
    for mine, other in states:
        torch.testing.assert_close(mine["exp_avg"], other["exp_avg"], rtol=1e-3, atol=1e-6)


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="every is -1"):
        RateSteps(-1)


NO_RATE_STEPS = """
trainer:
  callbacks:
    - class_path: Stages
    - class_path: RateSteps
      init_args: {every: 0}
    - class_path: BitstreamExport
    - class_path: Progress
    - class_path: ModelCheckpoint
"""
NO_NOISE = """
trainer:
  callbacks:
    - class_path: Stages
      init_args:
        stages:
          - name: no noise
            share: 1.0
            start: {class_path: QuantNoise, init_args: {ratio: 0.0}}
            end: {class_path: QuantNoise, init_args: {ratio: 0.0}}
    - class_path: RateSteps
    - class_path: BitstreamExport
    - class_path: Progress
    - class_path: ModelCheckpoint
"""
