"""The integer network of masked 3-D convolutions: symbols before a position in, its mean and scale out.

    symbols ------------------------------ linear -----------------------> mean
    signed log-magnitudes, log-magnitudes -> conv -> ReLU -> conv -> ReLU -> conv -> mean, log2-scale
    log-magnitudes ----------------------- linear -----------------------> log2-scale

Kernels are 5x5x5, causal, and shared by all channels of a grid. Where NVRC has GELU and LayerNorm (arXiv 2409.07414,
section 3.3), which have no exact integer form, activations are clipped ReLUs; logarithms keep wide symbols small, and
the direct paths carry what is linear in them. Weights are multiples of 1/64, activations multiples of 1/16 below 16,
so that every partial sum, in units of its lattice, is an integer below 2^24.
"""

from math import prod
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvrc_components.coding import lattice
from nvrc_components.entropy_models.base import snap_mean
from nvrc_components.entropy_models.context import magnitude, visible
from nvrc_components.entropy_models.exactness import check_sums
from nvrc_components.entropy_models.masked_conv_layout import BEFORE, OFFSETS, Layout
from nvrc_components.functional import counter_uniform, round_straight_through, upper_bound
from nvrc_components.side import SideTensor

WIDEST: Final = 8
_TAPS: Final = len(OFFSETS)
_KERNEL: Final = (3, 5, 5)
ACTIVATION_STEPS: Final = 16
ACTIVATION_LIMIT: Final = 255 / ACTIVATION_STEPS
_DIRECT_LIMIT: Final = 4.0
_HIDDEN_LIMIT: Final = 1.0
_HIDDEN_PACE: Final = 1 / 16
"""Of weights of which hundreds add up: at the pace of the others they fling the prediction about and do not settle."""


class Weights(NamedTuple):
    """Quantised weights of R hidden units, each with taps last.

    Shape: mean (1, 1, BEFORE); first (R + 1, 2, BEFORE), the last row the direct path to the scale;
    present (R + 1, BEFORE), for taps that lie inside the block; second (R, R, taps), second_bias (R);
    head (2, R, taps); bias (2, C).
    """

    mean: Tensor
    first: Tensor
    present: Tensor
    second: Tensor
    second_bias: Tensor
    head: Tensor
    bias: Tensor


class MaskedConv3dNetwork(nn.Module):
    """Predicts the means and log2-scales of whole blocks in parallel; `WavePredictor` does so wave by wave."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.mean = SideTensor(torch.zeros(1, 1, BEFORE), limit=_DIRECT_LIMIT)
        self.scale = SideTensor(torch.full((1, 1, BEFORE), 1 / 32), limit=_DIRECT_LIMIT)
        self.present = SideTensor(torch.zeros(width + 1, BEFORE), limit=_HIDDEN_LIMIT)
        self.bias = SideTensor(torch.tensor([[0.0], [-1.0]]).repeat(1, channels))
        if width:
            self.first = _hidden(width, 2, BEFORE, pace=1 / 4)
            self.second = _hidden(width, width, _TAPS, pace=_HIDDEN_PACE)
            self.second_bias = SideTensor(torch.zeros(width))
            head = torch.zeros(2, width, _TAPS)
            self.head = SideTensor(head, limit=_HIDDEN_LIMIT, pace=_HIDDEN_PACE)

    def weights(self, dtype: torch.dtype = torch.float32) -> Weights:
        """Return the quantised weights."""
        scale = self.scale().to(dtype)
        first = torch.cat([torch.zeros_like(scale), scale], 1)
        none = first.new_zeros(0, 0, _TAPS)
        second, second_bias, head = none, first.new_zeros(0), first.new_zeros(2, 0, _TAPS)
        if self.width:
            first = torch.cat([self.first().to(dtype), first])
            second, second_bias, head = (x().to(dtype) for x in (self.second, self.second_bias, self.head))
        present, bias = self.present().to(dtype), self.bias().to(dtype)
        return Weights(self.mean().to(dtype), first, present, second, second_bias, head, bias)

    def forward(self, blocks: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Return mean and log2-scale of all positions at once, not yet snapped to the coder's lattices.

        Shape: (N, C, bt, bh, bw) -> (N, C, bt, bh, bw) twice.
        """
        weights, shape = self.weights(blocks.dtype), blocks.shape
        seen = visible(blocks.reshape(-1, 1, *shape[2:]))
        start = position_bias(weights, layout).view(1, -1, *shape[2:])
        first = _conv(torch.cat([*planes_of(seen)], 1), weights.first) + start
        head = weights.bias.T[:, :, None, None, None]
        if self.width:  # a convolution without channels is refused
            hidden = activation(first[:, :-1])
            hidden = activation(_conv(hidden, weights.second) + weights.second_bias[:, None, None, None])
            head = head + _conv(hidden, weights.head).view(shape[0], shape[1], 2, *shape[2:])
        mean = snap_mean(_conv(seen, weights.mean).view(shape)) + snap_mean(head[..., 0, :, :, :])
        return mean, first[:, -1].reshape(shape) + head[..., 1, :, :, :]

    @torch.no_grad()
    def check_exact(self) -> None:
        """Require the sums that the quantised weights allow to stay in float32's integers.

        Raises:
            InputError: they do not.
        """
        w = self.weights(torch.float64)
        fine = ACTIVATION_STEPS * lattice.SIDE_STEPS
        largest = float(lattice.magnitudes()[lattice.CONTEXT_LIMIT]) / ACTIVATION_STEPS
        first = w.first.abs().sum((1, 2)) * largest + w.present.abs().sum(1)
        second = w.second.abs().sum((1, 2)) * ACTIVATION_LIMIT + w.second_bias.abs()
        head = w.head.abs().sum((1, 2)) * ACTIVATION_LIMIT + w.bias.abs().amax(1)
        mean = w.mean.abs().sum() * lattice.CONTEXT_LIMIT * lattice.SIDE_STEPS
        check_sums("the masked convolutions", mean, first * fine, second * fine, (head + first[-1]) * fine)


def _hidden(outputs: int, inputs: int, taps: int, pace: float) -> SideTensor:
    """Start weights from fixed noise (He's deviation), so that hidden units differ without a generator."""
    bound = min((6 / (inputs * taps)) ** 0.5, _HIDDEN_LIMIT)
    noise = counter_uniform(torch.arange(outputs * inputs * taps, dtype=torch.int32), taps)
    initial = (2 * noise.view(outputs, inputs, taps) - 1) * bound
    return SideTensor(initial, limit=_HIDDEN_LIMIT, pace=pace)


def activation(x: Tensor) -> Tensor:
    """Return clipped ReLUs on their lattice.

    Shape: any.
    """
    return upper_bound(torch.relu(round_straight_through(x * ACTIVATION_STEPS) / ACTIVATION_STEPS), ACTIVATION_LIMIT)


def planes_of(seen: Tensor) -> Tensor:
    """Return signed log-magnitudes and log-magnitudes.

    Shape: any -> (2, the same).
    """
    size = magnitude(seen)
    return torch.stack([size * seen.detach().sign(), size])


def position_bias(weights: Weights, layout: Layout) -> Tensor:
    """Return what the taps inside the block add at each of its positions.

    Shape: (R + 1, volume).
    """
    return weights.present @ layout.inside.to(weights.present)


def _conv(x: Tensor, weight: Tensor) -> Tensor:
    """Return the causal convolution of blocks, with zeros around them.

    Shape: x (M, I, bt, bh, bw), weight (O, I, taps) -> (M, O, bt, bh, bw).
    """
    full = F.pad(weight, (0, prod(_KERNEL) - weight.shape[2])).view(*weight.shape[:2], *_KERNEL)
    return F.conv3d(F.pad(x, (2, 2, 2, 2, 2, 0)), full)
