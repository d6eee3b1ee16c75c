"""Rate steps between distortion steps (NVRC section 3.4)."""

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from nvrc_lightning.modules.video_codec import VideoCodec


class RateSteps(Callback):
    """After every K distortion steps takes one step on K R, so that rate costs 1 / K as much.

    The rate's gradient needs no data; it is scaled as the last distortion step's was clipped, because clipping the
    two apart would undo lambda.

    Args:
        every: K, distortion steps between rate steps; 0 takes none, and every distortion step minimises the rate too.
    """

    def __init__(self, every: int = 8) -> None:
        if every < 0:
            raise ValueError(f"every is {every}; a rate step comes after one or more distortion steps, or never with 0")
        self.every = every
        self._done = 0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the rate out of the distortion steps."""
        assert isinstance(pl_module, VideoCodec)
        pl_module.joint = not self.every

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Note the steps taken so far: with accumulated gradients most batches take none."""
        self._done = trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Take a rate step if it is due."""
        assert isinstance(pl_module, VideoCodec)
        step = trainer.global_step
        if pl_module.joint or step == self._done or step % self.every or not pl_module.rate_weight:
            return
        (optimizer,) = trainer.optimizers
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        rate = pl_module.bits_per_pixel() * (pl_module.rate_weight * self.every * pl_module.clip_factor)
        # Not backward(): DDP would count these gradients to the next distortion step.
        gradients = torch.autograd.grad(rate, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, _same_everywhere(gradients, trainer), strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad()


def _same_everywhere(gradients: Sequence[Tensor | None], trainer: lightning.Trainer) -> list[Tensor | None]:
    """The mean over all ranks: on GPUs their sums differ in the last bits, and replicas would drift apart."""
    if trainer.world_size == 1:
        return list(gradients)
    known = [gradient for gradient in gradients if gradient is not None]
    mean = trainer.strategy.reduce(torch.cat([gradient.flatten() for gradient in known]), reduce_op="mean")
    assert isinstance(mean, Tensor)
    parts = iter(mean.split_with_sizes([gradient.numel() for gradient in known]))
    return [None if gradient is None else next(parts).view_as(gradient) for gradient in gradients]
