"""What a stage sets, in whole runs."""

import pytest
import torch
import yaml

from nvrc_components.compressed_module import CompressedModule
from nvrc_components.quantizers import QuantNoise
from nvrc_lightning.callbacks.stages import Stage
from nvrc_lightning.modules.losses import RgbDistortion
from nvrc_lightning.modules.video_codec import VideoCodec
from tests.lightning.helpers import checkpoint, fit

BOTH = {"quantizer", "entropy_model"}


def callbacks_of_one_stage():
    noise = {"class_path": "QuantNoise", "init_args": {"ratio": 0.5}}
    stage = {"name": "only", "share": 1.0, "start": noise, "end": noise}
    saving = {"filename": "last", "save_on_train_epoch_end": True, "enable_version_counter": False}
    stages = {"class_path": "Stages", "init_args": {"stages": [stage]}}
    return [stages, {"class_path": "ModelCheckpoint", "init_args": saving}]


def run_of(folder, rate_weight, rate_steps=True):
    """Return the final state of a run with a single stage."""
    surrogate = {"class_path": "QuantNoise", "init_args": {"ratio": 0.5}}
    stage = {"name": "only", "share": 1.0, "start": surrogate, "end": surrogate, "rate_weight": rate_weight}
    saving = {"filename": "last", "save_on_train_epoch_end": True, "enable_version_counter": False}
    callbacks = [
        {"class_path": "Stages", "init_args": {"stages": [stage]}},
        *([{"class_path": "RateSteps", "init_args": {"every": 2}}] if rate_steps else []),
        {"class_path": "ModelCheckpoint", "init_args": saving},
    ]
    folder.mkdir()
    (folder / "overlay.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    return checkpoint(fit(folder, f"--config={folder / 'overlay.yaml'}"))["state_dict"]


def moved(ours, theirs, part):
    return any(not torch.equal(ours[name], theirs[name]) for name in ours if part in name and name.endswith("value"))


@pytest.mark.parametrize("rate_steps", [False, True])
def test_a_stage_may_leave_the_rate_out(tmp_path, rate_steps):
    none = run_of(tmp_path / "none", 0.0, rate_steps)
    same = run_of(tmp_path / "same", 0.0, not rate_steps)
    some = run_of(tmp_path / "some", 1.0, rate_steps)
    assert all(torch.equal(none[name], same[name]) for name in none)
    assert moved(some, none, "entropy_model")


def test_steps_are_calibrated_once_however_many_batches_a_step_has(tmp_path, monkeypatch):
    calls = []
    original = CompressedModule.calibrate
    monkeypatch.setattr(CompressedModule, "calibrate", lambda self: (calls.append(1), original(self)))
    noise = {"class_path": "QuantNoise", "init_args": {"ratio": 0.5}}
    stages = [
        {"name": "first", "share": 1.0, "start": noise, "end": noise},
        {"name": "second", "share": 1.0, "start": noise, "end": noise, "calibrate": True},
    ]
    callbacks = [{"class_path": "Stages", "init_args": {"stages": stages}}]
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    fit(tmp_path, f"--config={tmp_path / 'overlay.yaml'}", "--trainer.accumulate_grad_batches=2")
    assert calls == [1]


def parted(folder, lines_from):
    """Return whose rows or columns differ after a run: quantisers', entropy models', or nobody's."""
    (folder / "overlay.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks_of_one_stage()}}))
    words = [f"--config={folder / 'overlay.yaml'}", f"--model.lines_from={lines_from}", "--trainer.max_epochs=3"]
    state = checkpoint(fit(folder, *words))["state_dict"]
    lines = {name: value for name, value in state.items() if name.endswith((".rows.value", ".columns.value"))}
    different = [name for name, value in lines.items() if (value != value.flatten()[0]).any()]
    return {owner for owner in ("quantizer", "entropy_model") if any(owner in name for name in different)}


@pytest.mark.parametrize(("lines_from", "owners"), [(1.0, set()), (0.5, BOTH), (0.0, BOTH)])
def test_rows_and_columns_part_when_they_may(tmp_path, lines_from, owners):
    assert parted(tmp_path, lines_from) == owners


def test_lines_part_within_the_training():
    with pytest.raises(ValueError, match=r"lines_from is 1\.5; --model\.lines_from must be from 0 to 1"):
        VideoCodec(None, [], RgbDistortion(), lines_from=1.5)


def test_a_rate_cannot_weigh_less_than_nothing():
    with pytest.raises(ValueError, match="rate_weight is -1"):
        Stage("x", 1.0, QuantNoise(), QuantNoise(), rate_weight=-1)
