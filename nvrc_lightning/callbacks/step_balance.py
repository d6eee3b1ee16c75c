"""Quantisation steps set by how much the pictures change with each parameter."""

from collections.abc import Sequence
from typing import Any, Final

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from nvrc_lightning.callbacks.schedule import plan_of
from nvrc_lightning.modules.curvature import gauss_newton_diagonal
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["StepBalance"]


_LATEST: Final = 0.75


class StepBalance(Callback):
    """Early in training sets all steps so that rounding spends the distortion where it saves most bits.

    For some hundred steps of training the distortion's gradient by a quantisation step is little but noise: those of
    small tensors end up octaves from where they should be. Its curvature by the parameters tells their proportions
    within a few passes. What rounding costs a group in all is left as it was, and all steps go on learning from there.
    In a long training they settle by themselves, better than curvature tells.

    Args:
        after: steps of training after which the quantisation steps are balanced; none for not at all. Those in the
            last quarter of the training, which could not be learned from, are passed over.
        probes: batches from which the curvature is estimated, spread evenly over the video.

    Raises:
        ValueError: a number of steps is below 1, or there are no probes.
    """

    def __init__(self, after: Sequence[int] = (64, 128, 256, 384), probes: int = 8) -> None:
        if not all(step > 0 for step in after):
            raise ValueError(f"after is {list(after)}; StepBalance needs numbers of steps above 0")
        if probes < 1:
            raise ValueError(f"probes is {probes}; StepBalance needs 1 or more")
        self.after = tuple(after)
        self.probes = probes
        self._handled = 0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Balance if it is time."""
        assert isinstance(pl_module, VideoCodec)
        step = trainer.global_step
        if step not in self.after or step == self._handled or plan_of(trainer).progress(step) > _LATEST:
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
