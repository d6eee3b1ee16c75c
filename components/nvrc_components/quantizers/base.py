"""The contract of quantisers: which step every element of a tensor has."""

from abc import abstractmethod
from typing import Final

import torch
from torch import Tensor

from nvrc_components.quantizers.windows import WHOLE, Window
from nvrc_components.tensor_module import TensorModule

STEP_PACE: Final = 1 / 16
"""Of a row's or a block's own step: the distortion's gradient of so few elements is mostly noise, by which the steps
of a tensor would walk apart by an octave within 500 steps at full pace."""


class Quantizer(TensorModule):
    """Gives the quantisation step of every element; what stands in for rounding is the surrogate's business."""

    @abstractmethod
    def log2_step(self, window: Window = WHOLE) -> Tensor:
        """Return log2 of the steps of `tensor[window]`, broadcastable to it; exact multiples of 1/64."""

    @abstractmethod
    def step(self, window: Window = WHOLE) -> Tensor:
        """Return the steps of `tensor[window]`, broadcastable to it; the same bits on every machine."""

    @abstractmethod
    def scale_steps(self, octaves: float) -> None:
        """Multiply all steps by 2^octaves, as nearly as the lattice allows on which they are stored."""

    def balance(self, curvature: Tensor, noise: float) -> None:
        """Set steps so that curvature x step^2 is `noise` on average over the elements that share one.

        Here they stay: where a context predicts elements, bits say little about steps.

        Shape: `curvature` that of the tensor, above 0 everywhere.
        """


def initial_log2_step(tensor: Tensor, bits: float) -> float:
    """Return a start for the log2-step from the data: `bits` octaves below the tensor's standard deviation.

    A tensor that starts near zero will grow: its deviation counts as 1/16 at least.

    Shape: any tensor; `bits` about the bits/parameter to start from, less two.
    """
    deviation = (tensor.detach().float().square().sum() / max(tensor.numel(), 1)).sqrt()
    return float(deviation.clamp_min(2.0**-4).log2()) - bits


def constant(value: float, *shape: int) -> Tensor:
    """Return a tensor of this shape filled with a start value on the 1/64 lattice."""
    return torch.full(shape, round(value * 64) / 64)
