"""Stages of training: which surrogate stands in for rounding, and how everything anneals (NVRC section 3.4)."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from nvrc_components.quantizers import Surrogate
from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.callbacks.schedule import Plan, Planner, plan_of
from nvrc_lightning.modules.video_codec import VideoCodec


@dataclass
class Stage:
    """One stretch of training.

    Args:
        name: shown while it runs.
        share: its part of all training steps, relative to the other stages' shares.
        start: surrogate at its beginning.
        end: the same kind of surrogate at its end; numbers in between are interpolated linearly.
        rate: peak of the learning rates, as a factor of the module's.
        final_rate: factor of that peak at the end, reached along a cosine.
        warmup: part of the stage in which the rates rise linearly to their peak.
        first_rate: factor of that peak at which they begin.
        decay: weight decay at the beginning, as a factor of the module's; it falls linearly to final_decay.
        final_decay: that factor at the end.
        clip: greatest norm of a distortion step's gradient, as a factor of the module's.
        rate_weight: weight of the bits in the loss; 0 trains for distortion alone.
        calibrate: set steps and priors anew from the parameters as the stage begins.
    """

    name: str
    share: float
    start: Surrogate
    end: Surrogate
    rate: float = 1.0
    final_rate: float = 0.05
    warmup: float = 0.05
    first_rate: float = 0.01
    decay: float = 1.0
    final_decay: float = 0.0
    clip: float = 1.0
    rate_weight: float = 1.0
    calibrate: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be interpolated."""
        if type(self.start) is not type(self.end):
            raise ValueError(f"stage {self.name!r}: start and end must be the same kind of surrogate")
        if not self.clip > 0:
            raise ValueError(f"stage {self.name!r}: clip is {self.clip}, it must be above 0")
        if not self.share > 0:
            raise ValueError(f"stage {self.name!r}: share is {self.share}, it must be above 0")
        if not self.rate_weight >= 0:
            raise ValueError(f"stage {self.name!r}: rate_weight is {self.rate_weight}, it must be 0 or more")

    def surrogate_at(self, progress: float) -> Surrogate:
        """Return the surrogate at a progress from 0 to 1 through the stage."""
        first, last = vars(self.start), vars(self.end)
        values = {key.lstrip("_"): value + progress * (last[key] - value) for key, value in first.items()}
        return type(self.start)(**values)

    def rate_at(self, progress: float) -> float:
        """Return the factor of the learning rates at a progress through the stage."""
        if progress < self.warmup:
            return self.rate * (self.first_rate + (1 - self.first_rate) * progress / self.warmup)
        through = (progress - self.warmup) / max(1.0 - self.warmup, 1e-9)
        floor = self.final_rate * self.rate
        return floor + (self.rate - floor) * 0.5 * (1 + math.cos(math.pi * through))


class Stages(Callback):
    """Sets surrogate, learning rates, weight decay and gradient clip before every step, as pure functions of the step.

    Nothing that matters is kept between steps, so a resumed run goes on exactly as an uninterrupted one.

    Args:
        stages: in order; their shares divide the training.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        if not stages:
            raise ValueError("stages is empty; give at least one")
        self.stages = list(stages)
        self._handled = -1

    def locate(self, progress: float) -> tuple[Stage, float]:
        """Return the stage at a progress through training, and the progress through it, from 0 to 1."""
        whole = sum(stage.share for stage in self.stages)
        position, start = progress * whole, 0.0
        for stage in self.stages:
            if position < start + stage.share or stage is self.stages[-1]:
                return stage, min((position - start) / stage.share, 1.0)
            start += stage.share
        raise AssertionError("unreachable: the last stage takes what is left")

    def begins(self, step: int, plan: Plan) -> bool:
        """Return whether a stage begins with this step."""
        now = self.locate(plan.progress(step))[0]
        return step == 0 or self.locate(plan.progress(step - 1))[0] is not now

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Put the step's settings in place."""
        assert isinstance(pl_module, VideoCodec)
        step, plan = trainer.global_step, plan_of(trainer)
        stage, progress = self.locate(plan.progress(step))
        if stage.calibrate and self.begins(step, plan) and step != self._handled:
            pl_module.compressed.calibrate()
        self._handled = step  # with accumulated gradients there are several batches a step
        pl_module.stage_name = stage.name
        pl_module.clip_scale = stage.clip
        pl_module.rate_weight = stage.rate_weight
        pl_module.compressed.surrogate = stage.surrogate_at(progress)
        decay = stage.decay + progress * (stage.final_decay - stage.decay)
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * stage.rate_at(progress)
                group["weight_decay"] = group["peak_decay"] * decay

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Warn of stages that training was too short for."""
        if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        plan, steps = plan_of(trainer), trainer.global_step
        reached = {id(self.locate(plan.progress(step))[0]) for step in range(steps)}
        missed = [stage.name for stage in self.stages if id(stage) not in reached]
        if not missed:
            return
        epochs_decide = trainer.max_steps < 0 and not callbacks_of(trainer, Planner)
        advice = "train for longer" + " (--epochs, --trainer.max_epochs)" * epochs_decide
        names = " and ".join(missed)
        warnings.warn(
            f"{steps} training steps are too few: the stage {names} had none of them, and the result is worse for it; "
            f"{advice}",
            stacklevel=2,
        )
