"""Side information of entropy models stored as coarsely as pays, for parameters that no longer change."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from nvrc_components.entropy_models import EntropyModel
from nvrc_components.side import SideTensor, sides_of

_LOG2_STEPS: Final = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0)


class Coded(NamedTuple):
    """A tensor's symbols, its entropy model and its log2-steps."""

    model: EntropyModel
    symbols: Tensor
    log2_step: Tensor


class _Form(NamedTuple):
    """Values of a side tensor before they are rounded, and log2 of the step that they are rounded to."""

    values: Tensor
    log2_step: float


@torch.no_grad()
def coarsen(items: Sequence[Coded]) -> None:
    """Round each side tensor of the models to the step, or set it to its mean, that makes the fewest bits in all.

    A line of n elements loses about n s^2 / 17 bits to a log2-scale that is a step of s octaves coarse, so that a
    quarter of an octave is fine enough for hundreds of them. Training, whose gradients are noisy, does not get there:
    after 512 steps side tensors are up to 16 times finer. One after the other, what was never better stays.
    """
    for item in items:
        for side in sides_of([item.model]):
            if side.value.numel() > 1 and not side.plain:
                _take(side, min(_forms(side), key=lambda form: _bits(item, side, form)))


def _forms(side: SideTensor) -> Iterator[_Form]:
    """Yield what a side tensor could be, as it is first: of equals the first is taken."""
    values, finest = side.unrounded().clone(), float(side.log2_step)
    coarser = [log2_step for log2_step in _LOG2_STEPS if log2_step > finest]
    for log2_step in (finest, *coarser):
        yield _Form(values, log2_step)
    yield _Form(values.mean().expand_as(values), max(finest, _LOG2_STEPS[0]))


def _bits(item: Coded, side: SideTensor, form: _Form) -> float:
    _take(side, form)
    return float(item.model.bits(item.symbols, item.log2_step) + side.bits())


def _take(side: SideTensor, form: _Form) -> None:
    side.assign(form.values)
    side.log2_step.fill_(form.log2_step)
