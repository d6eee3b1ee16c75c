"""What a stage sets, in whole runs."""

import pytest
import torch
import yaml

from nvrc_components.compressed_module import CompressedModule
from nvrc_components.quantizers import QuantNoise
from nvrc_lightning.callbacks.stages import Stage
from tests.lightning.helpers import checkpoint, fit


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


def test_a_stage_that_training_was_too_short_for_is_named(tmp_path, capfd):
    noise = {"class_path": "QuantNoise", "init_args": {"ratio": 0.5}}
    stages = [{"name": f"of {share}", "share": share, "start": noise, "end": noise} for share in (30.0, 1.0)]
    callbacks = [{"class_path": "Stages", "init_args": {"stages": stages}}]
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    overlay = f"--config={tmp_path / 'overlay.yaml'}"
    fit(tmp_path / "short", overlay)
    without = "the stage of 1.0 had none of them, and the result is worse for it; train for longer"
    few = f"nvrc: warning: 8 training steps are too few: {without}"
    assert capfd.readouterr().err == f"{few} (--epochs, --trainer.max_epochs)\n"
    fit(tmp_path / "bounded", overlay, "--trainer.max_steps=8")
    assert capfd.readouterr().err == f"{few}\n"
    fit(tmp_path / "long", overlay, "--trainer.max_epochs=16")
    assert capfd.readouterr().err == ""


def test_a_rate_cannot_weigh_less_than_nothing():
    with pytest.raises(ValueError, match="rate_weight is -1"):
        Stage("x", 1.0, QuantNoise(), QuantNoise(), rate_weight=-1)
