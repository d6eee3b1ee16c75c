"""Quantisation steps set by how much the pictures change with each parameter."""

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from nvrc_lightning.callbacks.schedule import plan_of
from nvrc_lightning.modules.curvature import gauss_newton_diagonal
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["StepBalance"]


class StepBalance(Callback):
    """At a few points of training sets all steps so that rounding spends the distortion where it saves most bits.

    The distortion's gradient by a step is little but noise: steps of small tensors end up octaves from where they
    should be. Its curvature by the parameters tells their proportions within a few passes. The level of a group is
    left as it was, and all steps go on learning from there. Nothing is kept between steps of training, so a resumed
    run goes on exactly as an uninterrupted one.

    Args:
        at: progress of training, above 0 and below 1, at which steps are balanced.
        probes: batches from which the curvature is estimated, spread evenly over the video.

    Raises:
        ValueError: a progress is out of range, or there are no probes.
    """

    def __init__(self, at: Sequence[float] = (0.125, 0.25, 0.5, 0.75), probes: int = 8) -> None:
        if not all(0 < progress < 1 for progress in at):
            raise ValueError(f"at is {list(at)}; StepBalance needs progress above 0 and below 1")
        if probes < 1:
            raise ValueError(f"probes is {probes}; StepBalance needs 1 or more")
        self.at = tuple(at)
        self.probes = probes
        self._handled = -1

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Balance if it is time."""
        assert isinstance(pl_module, VideoCodec)
        step, plan = trainer.global_step, plan_of(trainer)
        before, now = plan.progress(max(step - 1, 0)), plan.progress(step)
        if step == self._handled or not any(before < progress <= now for progress in self.at):
            return
        self._handled = step  # with accumulated gradients there are several batches a step
        pl_module.compressed.balance(gauss_newton_diagonal(pl_module, self._places(trainer), step))

    def _places(self, trainer: lightning.Trainer) -> list[Tensor]:
        """Patches of the probes, as many in each as in a batch, spread evenly over the video and its frames."""
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        table, count = datamodule.patches.table, self.probes * datamodule.batch_size
        generator = torch.Generator().manual_seed(trainer.global_step)
        spread = (torch.arange(count) + torch.rand(count, generator=generator)) * (len(table) / count)
        chosen = table[spread.long().clamp(max=len(table) - 1)]
        return [chosen[probe :: self.probes] for probe in range(self.probes)]
