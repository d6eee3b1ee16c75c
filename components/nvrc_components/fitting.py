"""Entropy models brought to the least bits for parameters that no longer change."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nvrc_components.entropy_models import EntropyModel
from nvrc_components.side import quantized_together, sides_of


class Coded(NamedTuple):
    """A tensor's symbols, its entropy model and its log2-steps."""

    model: EntropyModel
    symbols: Tensor
    log2_step: Tensor


def fit(items: Sequence[Coded], iterations: int, rate: float) -> None:
    """Minimise the bits of fixed symbols and of the models themselves; the best iterate is kept, so none are added.

    Adam over the entropy models' parameters, its rate falling linearly from `rate` to 0.
    """
    parameters = [p for item in items for p in item.model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    best, kept = float("inf"), [p.detach().clone() for p in parameters]
    for iteration in range(iterations + 1):
        optimizer.param_groups[0]["lr"] = rate * (1 - iteration / max(iterations, 1))
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
        total = torch.stack([item.model.bits(item.symbols, item.log2_step) for item in items]).sum() + side_bits
        torch.autograd.backward(total)
    return float(total.detach())
