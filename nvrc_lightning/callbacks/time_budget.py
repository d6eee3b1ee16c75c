"""Training that ends when it is wanted to: the number of steps follows from how long a step takes here."""

import math
from dataclasses import astuple
from statistics import median
from typing import Any, Final

import lightning

from nvrc_components.errors import InputError
from nvrc_lightning import stopwatch
from nvrc_lightning.callbacks.rehearsal import Finish, rehearse
from nvrc_lightning.callbacks.schedule import Plan, Planner, Stretch
from nvrc_lightning.modules.video_codec import VideoCodec
from nvrc_lightning.quantities import parse_duration

__all__ = ["TimeBudget"]

_UNMEASURED: Final = 3
"""First steps, in which caches fill and code is compiled."""
_FIRST_WINDOW: Final = 16
_WINDOW: Final = 0.01
_WINDOWS: Final = 5
_REHEARSALS: Final = (0.0, 0.5, 0.85)
_FEWEST: Final = 100
_LEAST_FIT, _MOST_FIT = 0.1, 3.0
_LONGEST_STRIDE: Final = 1 / 40
"""Progress of a step at most, however late it is, so that no stage is passed over."""


class TimeBudget(Planner):
    """Plans the number of steps so that the command ends at a wanted time, its start and the final file included.

    The first steps are measured, and so is what comes after training, in a rehearsal. From then on the plan is
    corrected every hundredth of the time: the end moves, and all schedules, which are functions of the progress, go
    on from where they are. The trainer's own number of epochs is of no effect. How many steps there are depends on the
    machine's speed: a run is not the same bit for bit when it is repeated, and a resumed one counts the time that was
    spent before.

    Args:
        time: wanted time, such as 90s, 10m or 1h30m.

    Raises:
        InputError: it is no time.
    """

    def __init__(self, time: str) -> None:
        self.seconds = parse_duration(time)
        self.time = time
        self.plan = Plan(_FEWEST * _FIRST_WINDOW)
        self._began = stopwatch.now() - stopwatch.seconds_so_far()
        self._finish = Finish()
        self._rehearsals = 0
        self._rates: list[float] = []
        self._mark = (math.inf, 0)
        self._first = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the command began, with those of the run that it resumes."""
        return stopwatch.now() - self._began

    def iterations(self, usual: int) -> int:
        """Return how many steps of the entropy models there is time for, from a tenth to three times the usual."""
        if not self._finish.iteration:
            return usual
        after = self._finish.coarsening + self._finish.coding + self._finish.checking
        left = self.seconds - self.elapsed - after
        return round(min(max(left / self._finish.iteration, _LEAST_FIT * usual), _MOST_FIT * usual))

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the end of training into hand.

        Raises:
            InputError: several processes train, which would not agree on the time.
        """
        if trainer.world_size > 1:
            raise InputError("a target time is kept by one process only; give --trainer.devices=1")
        trainer.fit_loop.max_epochs = self.plan.end
        trainer.fit_loop.epoch_loop.max_steps = self.plan.end

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note where measuring begins."""
        self._first = trainer.global_step
        self._set_end(trainer)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Measure, and correct the plan if its turn has come."""
        assert isinstance(pl_module, VideoCodec)
        step, (since, first) = trainer.global_step, self._mark
        done = step - self._first
        if done <= _UNMEASURED:
            self._mark = (self.elapsed, step)
            return
        passed = self.elapsed - since
        enough = passed >= _WINDOW * self.seconds or (not self._rates and step - first >= _FIRST_WINDOW)
        if step == first or step >= self.plan.end or not enough:
            return
        self._rates = [*self._rates, passed / (step - first)][-_WINDOWS:]
        self._rehearse(trainer, pl_module)
        self._replan(trainer, step)
        self._mark = (self.elapsed, step)

    def state_dict(self) -> dict[str, Any]:
        """The time spent, what was measured, and the plan."""
        return {
            "elapsed": self.elapsed,
            "finish": list(astuple(self._finish)),
            "rehearsals": self._rehearsals,
            "rates": list(self._rates),
            "plan": [list(stretch) for stretch in self.plan.stretches],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._began -= state_dict["elapsed"]
        self._finish = Finish(*state_dict["finish"])
        self._rehearsals = state_dict["rehearsals"]
        self._rates = list(state_dict["rates"])
        self.plan.stretches = [Stretch(*stretch) for stretch in state_dict["plan"]]

    def _rehearse(self, trainer: lightning.Trainer, codec: VideoCodec) -> None:
        """Measure again what comes after training, at a few points of it."""
        due = sum(self.elapsed >= part * self.seconds for part in _REHEARSALS)
        if due > self._rehearsals:
            self._rehearsals = due
            self._finish = rehearse(trainer, codec)

    def _replan(self, trainer: lightning.Trainer, step: int) -> None:
        """Move the end to where the time will be over.

        Raises:
            InputError: there is no time for any training to speak of.
        """
        seconds_per_step = median(self._rates)
        finish = self._finish.seconds(trainer)
        left = (self.seconds - self.elapsed - finish) / seconds_per_step
        if len(self.plan.stretches) == 1 and left < _FEWEST:
            needed = self.elapsed + finish + _FEWEST * seconds_per_step
            raise InputError(
                f"the target time of {self.time} is too short: {_FEWEST} steps, which are hardly a start, take "
                f"{math.ceil(needed)} s here with all that comes before and after; give more time, a smaller network "
                "(--size, --model.network.size) or fewer frames (--frames, --data.frames)"
            )
        fewest = math.ceil((1 - self.plan.progress(step)) / _LONGEST_STRIDE)
        self.plan.move_end(step, step + max(round(left), fewest, 1))
        self._set_end(trainer)

    def _set_end(self, trainer: lightning.Trainer) -> None:
        """Tell the trainer."""
        steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        trainer.fit_loop.max_epochs = math.ceil(self.plan.end / steps)
        trainer.fit_loop.epoch_loop.max_steps = self.plan.end
