"""The octree's integer network: decoded neighbours in, mean and scale out.

It holds integers and computes integers (exact in float32, in any order of summation): symbols are clamped to
+-127, weights are multiples of 1/64 within +-4.5, activations multiples of 1/16 below 128. Every partial sum,
in units of its lattice, stays below 26 * 127 * 288 < 2^20 in the first layer and 16 * 2047 * 288 < 2^24 in the
second. Coding computes in float64 all the same: settings that let float32 products drop bits (TF32, bfloat16) do
not touch it. Training runs the same code with noisy symbols and gradients straight through the roundings.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import torch
from torch import Tensor, nn

from nvrc_components.coding import lattice
from nvrc_components.entropy_models.exactness import check_sums
from nvrc_components.entropy_models.octree_layout import PARITIES, STRIDES, Phase, taps_of
from nvrc_components.functional import round_straight_through, upper_bound
from nvrc_components.side import SideTensor

WIDEST: Final = 16
_ACTIVATION_STEPS: Final = 16
_ACTIVATION_LIMIT: Final = 2047 / _ACTIVATION_STEPS
_WEIGHT_LIMIT: Final = 4.0
_FINE: Final = _ACTIVATION_STEPS * lattice.SIDE_STEPS


@dataclass(frozen=True)
class Weights:
    """Quantised weights of every tap; lists go by parity.

    Shape: K taps, R hidden units: mean (1, K); scale (R + 1, K), the last row the direct path.
    """

    mean: list[Tensor]
    scale: list[Tensor]
    hidden_bias: Tensor
    output: Tensor
    bias: Tensor


class OctreeNetwork(nn.Module):
    """Predicts mean and scale of a phase: a linear interpolation, and a ReLU network of log2-magnitudes.

    Weights are shared by the three lattice strides and all channels, and by mirror images of a tap if `mirrored`; the
    scale's biases are not.
    """

    owners: Tensor

    def __init__(self, channels: int, passes: int, width: int, mirrored: bool) -> None:
        super().__init__()
        self.width = width
        self.taps = [taps_of(parity, passes) for parity in PARITIES]
        groups = [taps.classes if mirrored else range(len(taps.offsets)) for taps in self.taps]
        starts = [0, *accumulate(max(group) + 1 for group in groups)]
        classes = starts[-1]
        owners = [start + number for start, group in zip(starts, groups, strict=False) for number in group]
        self.register_buffer("owners", torch.tensor(owners), persistent=False)
        self.mean_weight = SideTensor(torch.zeros(classes), limit=_WEIGHT_LIMIT)
        self.scale_weight = SideTensor(torch.full((classes,), 0.0625), limit=_WEIGHT_LIMIT)
        self.scale_bias = SideTensor(torch.full((len(STRIDES) * len(PARITIES), channels), -1.0))
        if width:
            spread = torch.linspace(-0.25, 0.25, width * classes).view(classes, width)
            self.hidden_weight = SideTensor(spread, limit=_WEIGHT_LIMIT)
            self.hidden_bias = SideTensor(torch.zeros(len(PARITIES), width))
            self.output_weight = SideTensor(torch.zeros(len(PARITIES), width), limit=_WEIGHT_LIMIT)

    def weights(self, dtype: torch.dtype = torch.float32) -> Weights:
        """Return the quantised weights, once for all phases."""
        mean, rows = self.mean_weight()[:, None].to(dtype), self.scale_weight()[:, None].to(dtype)
        bias = self.scale_bias().to(dtype)
        hidden_bias = output = mean.new_zeros(len(PARITIES), 0)
        if self.width:
            rows = torch.cat([self.hidden_weight().to(dtype), rows], 1)
            hidden_bias, output = self.hidden_bias().to(dtype), self.output_weight().to(dtype)
        return Weights(self._expand(mean), self._expand(rows), hidden_bias, output, bias)

    @torch.no_grad()
    def check_exact(self) -> None:
        """Require the sums that the quantised weights allow to stay in float32's integers.

        Raises:
            InputError: they do not.
        """
        weights = self.weights(torch.float64)
        reach, largest = lattice.CONTEXT_LIMIT * lattice.SIDE_STEPS, lattice.magnitudes()[lattice.CONTEXT_LIMIT]
        for parity in range(len(PARITIES)):
            scale = weights.scale[parity].abs().sum(1) * float(largest) * lattice.SIDE_STEPS
            hidden = scale[:-1] + weights.hidden_bias[parity].abs() * _FINE
            output = weights.output[parity].abs().sum() * _ACTIVATION_LIMIT * _FINE
            output = output + scale[-1] + weights.bias.abs().max() * _FINE
            check_sums("the octree", weights.mean[parity].abs().sum() * reach, hidden, output)

    def forward(self, symbols: Tensor, magnitudes: Tensor, phase: Phase, weights: Weights) -> tuple[Tensor, Tensor]:
        """Return mean and log2-scale of a phase's positions, not yet snapped to the coder's lattices.

        Shape: symbols and magnitudes (volume + 1, M), M columns of block x channel, channels fastest
        -> mean and log2-scale (P, M).
        """
        parity, columns = phase.parity, symbols.shape[1]
        # Taps first: each layer is then one matrix product, without copies.
        shape = len(phase.taps.offsets), len(phase.targets) * columns
        index = phase.neighbours.to(symbols.device)
        mean = weights.mean[parity] @ symbols.index_select(0, index).view(shape)
        layer = weights.scale[parity] @ magnitudes.index_select(0, index).view(shape)
        log2_scale = layer[-1]
        if self.width:
            hidden = round_straight_through((layer[:-1] + weights.hidden_bias[parity, :, None]) * 16) / 16
            hidden = upper_bound(torch.relu(hidden), _ACTIVATION_LIMIT)
            log2_scale = log2_scale + weights.output[parity] @ hidden
        bias = weights.bias[phase.row].repeat(columns // weights.bias.shape[1])
        return mean.view(-1, columns), log2_scale.view(-1, columns) + bias

    def _expand(self, by_class: Tensor) -> list[Tensor]:
        by_tap = by_class.index_select(0, self.owners).T
        return list(by_tap.split_with_sizes([len(taps.offsets) for taps in self.taps], 1))
