"""Side information of entropy models stored as coarsely as pays, for parameters that no longer change."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from nvrc_components.fitting import Coded
from nvrc_components.side import SideTensor, sides_of

__all__ = ["coarsen"]

_LOG2_STEPS: Final = (-5.0, -4.0, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0)
_MEAN_STEP: Final = -3.0
"""A scale's own lattice: where all values are one, finer steps would only cost bits of that one."""


class _Form(NamedTuple):
    """Values of a side tensor before they are rounded, and log2 of the step that they are rounded to."""

    values: Tensor
    log2_step: float


@torch.no_grad()
def coarsen(items: Sequence[Coded]) -> None:
    """Round each side tensor of the models to the step, or set it to its mean, that makes the fewest bits in all.

    A line of n elements loses about n s^2 / 17 bits to a log2-scale that is a step of s octaves coarse, so that a
    quarter of an octave is fine enough for hundreds of them. Training, whose gradients are noisy, does not get there:
    after 512 steps side tensors are up to 16 times finer. Tensors are taken one after another; where nothing is
    better, one stays as it is.
    """
    for item in items:
        for side in sides_of([item.model]):
            if side.value.numel() > 1 and not side.plain:
                _take(side, min(_forms(side), key=lambda form: _bits(item, side, form)))


def _forms(side: SideTensor) -> Iterator[_Form]:
    """Yield what a side tensor could be, as it is first: of equals the first is taken."""
    values, finest = side.unrounded(), float(side.log2_step)
    coarser = [log2_step for log2_step in _LOG2_STEPS if log2_step > finest]
    for log2_step in (finest, *coarser):
        yield _Form(values, log2_step)
    yield _Form(values.mean().expand_as(values), max(finest, _MEAN_STEP))


def _bits(item: Coded, side: SideTensor, form: _Form) -> float:
    _take(side, form)
    symbols = item.model.symbol_bits(item.symbols, item.log2_step).sum(dtype=torch.float64)
    return float(symbols) + float(side.bits())


def _take(side: SideTensor, form: _Form) -> None:
    side.assign(form.values)
    side.log2_step.fill_(form.log2_step)
