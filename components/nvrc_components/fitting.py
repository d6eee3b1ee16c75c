"""Entropy models brought to the least bits for parameters that no longer change."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from nvrc_components.entropy_models import EntropyModel
from nvrc_components.side import quantized_together, sides_of

_PSI_PACE: Final = 3.0


class Coded(NamedTuple):
    """A tensor's symbols, its entropy model and its log2-steps."""

    model: EntropyModel
    symbols: Tensor
    log2_step: Tensor


def fit(items: Sequence[Coded], iterations: int, rate: float = 0.03) -> None:
    """Minimise the bits of fixed symbols and of the models themselves; the best iterate is kept, so none are added.

    Adam over the entropy models' parameters, its rate falling linearly from `rate` to 0; of side tensors' own steps,
    which start as fine as can be, from three times as much.
    """
    parameters = [p for item in items for p in item.model.parameters() if p.requires_grad]
    psi = {id(side.log2_step) for side in sides_of(item.model for item in items)}
    slow, fast = ([p for p in parameters if (id(p) in psi) is fast] for fast in (False, True))
    optimizer = torch.optim.Adam([{"params": slow, "rate": rate}, {"params": fast, "rate": rate * _PSI_PACE}])
    best, kept = float("inf"), [p.detach().clone() for p in parameters]
    for iteration in range(iterations + 1):
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * (1 - iteration / max(iterations, 1))
        optimizer.zero_grad()
        bits = _step(items)
        if bits < best:
            best, kept = bits, [p.detach().clone() for p in parameters]
        optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)


@torch.enable_grad()
def _step(items: Sequence[Coded]) -> float:
    """Return the bits, their gradients left with the parameters."""
    with quantized_together(sides_of(item.model for item in items)) as side_bits:
        total = torch.stack([item.model.bits(item.symbols, item.log2_step) for item in items]).sum() + side_bits()
        torch.autograd.backward(total)
    return float(total.detach())
