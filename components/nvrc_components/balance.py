"""Quantisation steps in proportion to each other, by the curvature of the distortion."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from nvrc_components.quantizers import Quantizer

_FLOOR: Final = 1 / 64
"""Least curvature, as a part of the tensor's mean: what has no effect now may come to have one."""


class Rounded(NamedTuple):
    """A tensor, its quantiser, and the distortion's second derivative by each element, none below 0.

    Shape: `tensor` and `curvature` alike.
    """

    quantizer: Quantizer
    tensor: Tensor
    curvature: Tensor


class _Noise(NamedTuple):
    """What rounding costs a tensor: curvature x step^2, and which elements are not rounded to zero."""

    curvature: Tensor
    step: Tensor
    live: Tensor

    def total(self) -> float:
        return float((self.curvature * self.step.square())[self.live].sum(dtype=torch.float64))


@torch.no_grad()
def balance_steps(tensors: Sequence[Rounded]) -> None:
    """Set steps so that rounding costs the same distortion per element everywhere, and as much in all as before.

    That is the least rate for the distortion where steps are fine. Where they are not, elements that are rounded to
    zero cost next to no bits and spend no more than they are: they do not count, and speak for the step they have.
    Tensors whose curvature is not known, zero or not finite keep their steps.
    """
    noises = [(each.quantizer, _noise(each)) for each in tensors]
    count = sum(int(noise.live.sum()) for _, noise in noises)
    mean = sum(noise.total() for _, noise in noises) / max(count, 1)
    if not mean:
        return
    for quantizer, noise in noises:
        if noise.live.any():
            in_balance = mean / noise.step.square()
            quantizer.balance(torch.where(noise.live, noise.curvature, in_balance), mean)


def _noise(rounded: Rounded) -> _Noise:
    curvature = rounded.curvature.float()
    mean = curvature.mean()
    step = rounded.quantizer.step().expand_as(curvature)
    live = (rounded.tensor.float() / step).round() != 0
    known = bool(mean > 0) and bool(mean.isfinite())
    return _Noise(curvature + _FLOOR * mean, step, live if known else torch.zeros_like(live))
