"""The weights that matter least set to zero for good (HiNeRV, NeurIPS 2023)."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from nvrc_components.errors import InputError
from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.callbacks.schedule import plan_of
from nvrc_lightning.callbacks.stages import Stages
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["MagnitudePruning"]


class MagnitudePruning(Callback):
    """Sets the least weights of the whole network to zero as a stage begins, and keeps them zero from then on.

    Weights are compared by |w| / sqrt(n), n the elements of their tensor, as in HiNeRV's official code: small tensors
    are spared. From that stage on, a weight that is zero before an optimiser's step is zero after it. Nothing is kept
    between steps, so a resumed run goes on exactly as an uninterrupted one.

    Args:
        stage: name of the stage that begins with the pruning.
        share: pruned weights as a part of all the network's parameters, 0 to 1.
        pattern: names of the parameters to choose from (`fnmatch` rules); they need two dimensions or more.

    Raises:
        ValueError: `share` is not from 0 to 1.
    """

    def __init__(self, stage: str = "pruning", share: float = 0.15, pattern: str = "*weight") -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share is {share}; MagnitudePruning needs a part of all parameters, from 0 to 1")
        self.stage = stage
        self.share = share
        self.pattern = pattern
        self._keeping = False
        self._zeros: list[tuple[Tensor, Tensor]] = []
        self._remove: list[Callable[[], None]] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Watch the optimiser, for rate steps have no hook of their own.

        Raises:
            InputError: there is no such stage, or there are fewer weights than are to be pruned.
        """
        assert isinstance(pl_module, VideoCodec)
        names = [stage.name for stage in self._stages(trainer).stages]
        if self.stage not in names:
            raise InputError(f"MagnitudePruning: there is no stage {self.stage!r}; Stages has {', '.join(names)}")
        weights, count = self._weights(pl_module), self._count(pl_module)
        if count > sum(weight.numel() for weight in weights):
            raise InputError(
                f"MagnitudePruning: {self.share:g} of the network is more than the parameters {self.pattern!r} have; "
                "lower share or widen pattern"
            )
        (optimizer,) = trainer.optimizers
        before = optimizer.register_step_pre_hook(lambda *_: self._remember(weights))
        after = optimizer.register_step_post_hook(lambda *_: self._restore())
        self._remove = [before.remove, after.remove]

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Prune if the stage begins."""
        assert isinstance(pl_module, VideoCodec)
        stages, step, plan = self._stages(trainer), trainer.global_step, plan_of(trainer)
        stage = stages.locate(plan.progress(step))[0]
        if stage.name == self.stage and stages.begins(step, plan):
            _prune(self._weights(pl_module), self._count(pl_module))
        names = [each.name for each in stages.stages]
        self._keeping = names.index(stage.name) >= names.index(self.stage)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Let go of the optimiser."""
        while self._remove:
            self._remove.pop()()

    def _stages(self, trainer: lightning.Trainer) -> Stages:
        for stages in callbacks_of(trainer, Stages):
            return stages
        raise InputError(f"MagnitudePruning prunes at stage {self.stage!r}, but there is no Stages callback; add one")

    def _weights(self, codec: VideoCodec) -> list[Tensor]:
        named = codec.compressed.module.named_parameters()
        return [tensor for name, tensor in named if tensor.dim() > 1 and fnmatchcase(name, self.pattern)]

    def _count(self, codec: VideoCodec) -> int:
        return round(self.share * sum(tensor.numel() for tensor in codec.compressed.module.parameters()))

    def _remember(self, weights: Sequence[Tensor]) -> None:
        self._zeros = [(weight, weight.detach() == 0) for weight in weights] if self._keeping else []

    @torch.no_grad()
    def _restore(self) -> None:
        for weight, zeros in self._zeros:
            weight.masked_fill_(zeros, 0.0)


@torch.no_grad()
def _prune(weights: Sequence[Tensor], count: int) -> None:
    """Set the `count` weights with the least scores to zero; of equal ones the first."""
    scores = torch.cat([weight.abs().flatten() / weight.numel() ** 0.5 for weight in weights])
    kept = torch.ones_like(scores)
    kept[scores.argsort(stable=True)[:count]] = 0.0
    parts = kept.split_with_sizes([weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.mul_(part.view_as(weight))
