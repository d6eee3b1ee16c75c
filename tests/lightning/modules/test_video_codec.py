"""Training steps under other precisions, and compiled."""

import csv

import pytest
import torch

from nvrc_lightning.modules.video_codec import VideoCodec
from tests.lightning.helpers import differences, fit

ONE_STEP = ("--data.frames=0:1", "--data.patch=[24,32]", "--trainer.log_every_n_steps=1")


def logged(run, name):
    with (run / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


@pytest.mark.slow
def test_a_compiled_network_trains_alike(tmp_path):
    plain = fit(tmp_path / "plain", *ONE_STEP)
    compiled = fit(tmp_path / "compiled", *ONE_STEP, "--model.compile_network=true")
    ours, theirs = (torch.tensor(logged(run, "loss")) for run in (compiled, plain))
    assert len(ours) == 8
    torch.testing.assert_close(ours, theirs, rtol=0.01, atol=0)
    assert ours[0].item() == pytest.approx(theirs[0].item(), rel=1e-5)
    sizes = [(run / "video.nvrc").stat().st_size for run in (compiled, plain)]  # each was decoded and compared
    assert abs(sizes[0] - sizes[1]) < 0.02 * sizes[1]


def test_only_training_steps_are_compiled(tmp_path, monkeypatch):
    calls = []

    def compiled(function):
        def call(module, *args):
            calls.append(module.training)
            return function(module, *args)

        return call

    monkeypatch.setattr("nvrc_lightning.modules.video_codec.torch.compile", compiled)
    fit(tmp_path, *ONE_STEP, "--model.compile_network=true", "--trainer.check_val_every_n_epoch=1")
    assert calls == [True] * 8


def test_autocast_leaves_rate_and_quantisation_in_full_precision(tmp_path, monkeypatch):
    pairs = []
    original = VideoCodec.training_step

    def training_step(self, batch):
        assert torch.is_autocast_enabled("cpu")
        step = int(self.compressed.step)
        both = []
        for enabled in (True, False):
            self.compressed.step.fill_(step)  # the same noise again
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                both.append({"rate": self.bits_per_pixel(), **self.compressed.quantized()})
        pairs.append(both)
        self.compressed.step.fill_(step)
        return original(self, batch)

    monkeypatch.setattr(VideoCodec, "training_step", training_step)
    fit(tmp_path, "--trainer.precision=bf16-mixed", "--trainer.max_epochs=1")
    assert len(pairs) == 4
    for under, plain in pairs:
        assert differences(under, plain) == []
        assert {tensor.dtype for tensor in under.values()} == {torch.float32}
