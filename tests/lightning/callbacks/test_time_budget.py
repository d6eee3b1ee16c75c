"""A wanted time, in whole runs on a clock that ticks with the steps."""

import re
from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import Callback

from nvrc_components.errors import InputError
from nvrc_lightning import stopwatch
from nvrc_lightning.callbacks.rehearsal import Finish
from nvrc_lightning.callbacks.time_budget import TimeBudget
from nvrc_lightning.cli import main
from nvrc_lightning.training import NvrcCLI
from tests.lightning.helpers import TINY, checkpoint, latest

SETUP, FINISH = 4.0, 3.0


class Clock(Callback):
    """Time that passes with each step only, as long as `pace` says for its number."""

    def __init__(self, pace):
        self.pace = pace
        self.now = 100.0
        self.steps = 0

    def on_fit_start(self, *_):
        self.now += SETUP

    def on_train_batch_start(self, trainer, *_):
        self.now += self.pace(self.steps)
        self.steps += 1


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that fits for a time and returns the seconds it took with what comes after, and the steps."""

    def fit(time, pace, *words):
        clock = Clock(pace)
        original = NvrcCLI.instantiate_trainer

        def instantiate_trainer(self, **kwargs):
            trainer = original(self, **kwargs)
            trainer.callbacks.insert(0, clock)
            return trainer

        monkeypatch.setattr(NvrcCLI, "instantiate_trainer", instantiate_trainer)
        monkeypatch.setattr(stopwatch, "now", lambda: clock.now)
        monkeypatch.setattr("nvrc_lightning.callbacks.time_budget.rehearse", lambda *_: Finish(0.0, 1.0, FINISH - 1.0))
        budget = ["--trainer.callbacks+=TimeBudget", f"--trainer.callbacks.time={time}", "--data.frames=0:16"]
        code = main(["fit", *TINY, f"--trainer.logger.save_dir={tmp_path}", *budget, *words])
        monkeypatch.undo()
        return code, clock.now - 100.0 + FINISH, clock.steps

    return fit


PACES = {
    "steady": lambda step: 0.2,
    "slow start": lambda step: 2.0 if step < 3 else 0.15,
    "slower": lambda step: 0.1 if step < 60 else 0.25,
    "faster": lambda step: 0.2 if step < 30 else 0.1,
    "paused": lambda step: 6.0 if step == 70 else 0.1,
    "rate steps and validation": lambda step: 0.1 + 0.1 * (step % 8 == 0) + 0.3 * (step % 50 == 0),
}


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
def test_a_run_ends_when_it_is_wanted_to(pace, run):
    code, seconds, _ = run("30s", pace)
    assert code == 0
    assert seconds == pytest.approx(30, rel=0.05)


def test_schedules_end_with_the_run(run, tmp_path):
    run("30s", PACES["slower"])
    state = checkpoint(latest(tmp_path))
    plan = state["callbacks"]["TimeBudget"]
    steps, reached, ends = zip(*plan["plan"], strict=True)
    assert state["global_step"] == ends[-1]
    rates = [group["lr"] / group["peak_lr"] for group in state["optimizer_states"][0]["param_groups"]]
    assert rates == pytest.approx([0.05] * len(rates), abs=0.01)  # the end of a stage's cosine
    assert list(steps) == sorted(steps)
    assert list(reached) == sorted(reached)


def test_twice_the_time_is_about_twice_the_steps(run):
    _, _, short = run("30s", PACES["steady"])
    _, _, long = run("1m", PACES["steady"])
    assert long - short == pytest.approx(150, rel=0.05)


def test_too_short_a_time_is_refused_with_what_is_needed(run, capsys):
    code, _, _ = run("9s", PACES["steady"])
    assert code == 2
    error = capsys.readouterr().err
    assert "the target time of 9s is too short" in error
    assert re.search("take 2[5-8] s here", error)
    assert error.count("\n") == 1


@pytest.mark.parametrize(("left", "iterations"), [(0.0, 10), (13.0, 100), (8.0, 50), (999.0, 300)])
@pytest.mark.parametrize("coarsening", [(), (0.5,)])  # checkpoints of former versions have none
def test_the_last_fit_takes_what_time_is_left(left, iterations, coarsening, monkeypatch):
    monkeypatch.setattr(stopwatch, "now", lambda: 0.0)
    budget = TimeBudget("60s")
    assert budget.iterations(100) == 100  # nothing was rehearsed yet
    budget.load_state_dict(
        budget.state_dict() | {"elapsed": 60.0 - left - sum(coarsening), "finish": [0.1, 1.0, 2.0, *coarsening]}
    )
    assert budget.iterations(100) == iterations


def test_several_processes_are_refused():
    with pytest.raises(InputError, match=r"give --trainer\.devices=1"):
        TimeBudget("30s").on_fit_start(SimpleNamespace(world_size=2), None)
