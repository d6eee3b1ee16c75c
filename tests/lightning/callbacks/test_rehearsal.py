"""What comes after training, tried before it."""

import copy
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from nvrc_components.bitstream.video_file import load
from nvrc_lightning.callbacks.export import BitstreamExport
from nvrc_lightning.callbacks.rate_control import RateControl
from nvrc_lightning.callbacks.rehearsal import Finish, rehearse
from nvrc_lightning.cli import main
from nvrc_lightning.training import NvrcCLI
from tests.lightning.helpers import TINY, checkpoint, differences, fit, latest


class Rehearsal(Callback):
    """Rehearses in the middle of training, and keeps what it says."""

    def __init__(self):
        self.finish = None
        self.before = self.after = None

    def on_train_batch_end(self, trainer, pl_module, *_):
        if trainer.global_step == 5:
            self.before = self.state(pl_module)
            self.finish = rehearse(trainer, pl_module)
            self.after = self.state(pl_module)

    def state(self, codec):
        return copy.deepcopy(codec.state_dict()), torch.get_rng_state(), codec.training, codec.compressed.training


@pytest.fixture
def rehearsed(monkeypatch):
    rehearsal = Rehearsal()
    original = NvrcCLI.instantiate_trainer

    def instantiate_trainer(self, **kwargs):
        trainer = original(self, **kwargs)
        trainer.callbacks.append(rehearsal)
        return trainer

    def begin():
        monkeypatch.setattr(NvrcCLI, "instantiate_trainer", instantiate_trainer)
        return rehearsal

    return begin


def test_training_goes_on_as_if_nothing_had_been_done(tmp_path, rehearsed):
    plain = fit(tmp_path / "plain")
    rehearsal = rehearsed()
    run = fit(tmp_path / "rehearsed")
    assert differences(rehearsal.before, rehearsal.after) == []
    finish = rehearsal.finish
    assert min(finish.iteration, finish.coding, finish.checking, finish.coarsening) > 0
    assert differences(checkpoint(run)["state_dict"], checkpoint(plain)["state_dict"]) == []
    assert (run / "video.nvrc").read_bytes() == (plain / "video.nvrc").read_bytes()


def test_without_a_wanted_size_there_is_one_fit_and_one_file():
    trainer = SimpleNamespace(callbacks=[BitstreamExport(fit_iterations=100)])
    assert Finish(0.1, 2.0, 3.0, 0.5).seconds(trainer) == pytest.approx(100 * 0.1 + 0.5 + 2.0 + 3.0)


def test_a_wanted_size_takes_candidates_at_the_last_stage_and_at_the_end():
    control = RateControl(size="9kB", fit_iterations=30)
    trainer = SimpleNamespace(callbacks=[control, BitstreamExport(fit_iterations=100)])
    finish, candidate = Finish(0.1, 2.0, 3.0, 0.5), 30 * 0.1 + 0.5 + 2.0
    after = 2 * candidate + 100 * 0.1 + 0.5 + 2 * 2.0 + 3.0
    assert finish.seconds(trainer) == pytest.approx(after + 3 * candidate)
    control.load_state_dict({"control": {}, "fixed": 0, "landed": True})
    assert finish.seconds(trainer) == pytest.approx(after)


def test_a_time_may_be_wanted_of_the_program_and_its_run_is_not_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("nvrc_lightning.callbacks.time_budget._FEWEST", 5)  # however slow the machine is
    words = [*TINY, f"--trainer.logger.save_dir={tmp_path}", "--data.frames=0:2"]
    words += ["--trainer.callbacks+=TimeBudget", "--trainer.callbacks.time=15s"]
    assert main(["fit", *words]) == 0
    first = latest(tmp_path)
    state = checkpoint(first)
    plan = state["callbacks"]["TimeBudget"]["plan"]
    assert state["global_step"] == plan[-1][2] >= 5
    assert (first / "video.nvrc").exists()
    assert main(["fit", f"--ckpt_path={first / 'checkpoints' / 'last.ckpt'}"]) == 0  # nothing is left to train
    assert latest(tmp_path) != first
    frames = [load(run / "video.nvrc").frames() for run in (first, latest(tmp_path))]
    for frame, again in zip(*frames, strict=True):  # bytes may differ: the entropy fit takes what time is left
        assert torch.equal(frame, again)
