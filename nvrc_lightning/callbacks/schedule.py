"""How far training is at each step, which is all that stages, pruning and rate control go by."""

import math
from bisect import bisect_right
from typing import NamedTuple

import lightning
from lightning.pytorch.callbacks import Callback

from nvrc_lightning.callbacks.lookup import callbacks_of

__all__ = ["Plan", "Planner", "Stretch", "plan_of", "planned_iterations", "steps_per_epoch"]


class Stretch(NamedTuple):
    """Training from a step on, as it was planned there: from the progress reached in a straight line to an end."""

    step: int
    reached: float
    end: int


class Plan:
    """Progress from 0 to 1 as a function of the step; continuous wherever the end is moved to.

    Args:
        end: number of steps.
    """

    def __init__(self, end: int) -> None:
        self.stretches = [Stretch(0, 0.0, end)]

    @property
    def end(self) -> int:
        """Number of steps as planned last."""
        return self.stretches[-1].end

    def progress(self, step: int) -> float:
        """Return how far training is before a step."""
        index = bisect_right(self.stretches, step, key=lambda stretch: stretch.step)
        first, reached, end = self.stretches[max(index - 1, 0)]
        return min(reached + (step - first) / max(end - first, 1) * (1.0 - reached), 1.0)

    def move_end(self, step: int, end: int) -> None:
        """Head for another end from this step on."""
        ahead = Stretch(step, self.progress(step), end)
        self.stretches = [stretch for stretch in self.stretches if stretch.step < step] + [ahead]


class Planner(Callback):
    """A callback that decides how many steps there are."""

    plan: Plan

    def iterations(self, usual: int) -> int:
        """Return how many steps the entropy models may take at the end, where `usual` are asked for."""
        return usual


def steps_per_epoch(trainer: lightning.Trainer, batches: int) -> int:
    """Return the steps of an epoch; Lightning's own count would set the loaders up before they know where to go on.

    Args:
        trainer: which may take fewer batches, and several for a step.
        batches: that an epoch has.
    """
    limit = trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    return math.ceil(batches / trainer.accumulate_grad_batches)


def plan_of(trainer: lightning.Trainer) -> Plan:
    """Return the plan of the run's `Planner`, or that of the trainer's own number of steps."""
    for planner in callbacks_of(trainer, Planner):
        return planner.plan
    return Plan(int(trainer.estimated_stepping_batches))


def planned_iterations(trainer: lightning.Trainer, usual: int) -> int:
    """Return how many steps the entropy models may take at the end by the run's `Planner`; without one the usual."""
    for planner in callbacks_of(trainer, Planner):
        return planner.iterations(usual)
    return usual
