"""Octree context model: blocks are coded coarse to fine, each pass from decoded neighbours on both sides.

    grid -> blocks -> root: one Gaussian a channel
                   -> pass 1, 2, ...: decoded neighbours -> OctreeNetwork -> mean, scale -> coder

NVRC-Lite (arXiv 2512.04019) names the idea; `octree_layout` says how positions fall into passes.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Self

from nvrc_components.coding.range_coder import SymbolDecoder
from nvrc_components.entropy_models.base import coded_bits, mean_integers, scale_indices, snap_log2_scale, snap_mean
from nvrc_components.entropy_models.context import (
    AUTO,
    Block,
    ContextModel,
    Filled,
    Predictions,
    fitted,
    grid_of,
    magnitude,
    towers_of,
    visible,
)
from nvrc_components.entropy_models.octree_layout import PASSES, Layout, layout_of
from nvrc_components.entropy_models.octree_network import WIDEST, OctreeNetwork
from nvrc_components.side import SideTensor


class OctreeContext(ContextModel):
    """Context model of one feature grid that codes it coarse to fine.

    Shape: grid (T, C, H, W). `passes` is 4, 10 or 22; `width` counts the hidden units that turn neighbours'
    magnitudes into a scale (AUTO: none, or by the number of symbols where weights are shared). Mirror images of a
    neighbour share weights if `mirrored`: a third of the weights, and about 4 % more bits.

    Raises:
        ValueError: for any other number of passes, a width beyond 16, or a tensor that is no grid.
    """

    kind: ClassVar[int] = 3

    def __init__(
        self, tensor: Tensor, block: Block = (16, 16, 16), passes: int = 10, width: int = AUTO, mirrored: bool = False
    ) -> None:
        super().__init__(tensor, block)
        self.passes = passes
        self.width = width
        self.mirrored = mirrored
        if passes not in PASSES:
            raise ValueError(f"passes is {passes}; an octree has 4, 10 or 22")
        if not AUTO <= width <= WIDEST:
            raise ValueError(f"width is {width}, outside 0..{WIDEST} and AUTO = {AUTO}")
        channels = tensor.shape[1]
        self.root_mean = SideTensor(torch.zeros(channels))
        self.root_scale = SideTensor(torch.zeros(channels))
        chosen = _auto_width(tensor.numel(), mirrored) if width == AUTO else width
        self.network = OctreeNetwork(channels, passes, chosen, mirrored)

    def symbol_bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of each symbol in one parallel pass: every position sees what its pass will see.

        Shape: (T, C, H, W) -> the same, bits.
        """
        block = fitted(self.block, symbols.shape)
        layout = layout_of(block, self.passes)
        towers = towers_of(symbols.float(), block)
        with torch.autocast(symbols.device.type, enabled=False):
            order, mean, log2_scale = self._distributions(towers, layout)
        bits = coded_bits(towers.index_select(0, order), mean, log2_scale)
        return grid_of(torch.zeros_like(towers).index_copy(0, order, bits), symbols.shape, block)

    def check_exact(self) -> None:
        """Require the network's sums to be exact.

        Raises:
            InputError: they are not.
        """
        self.network.check_exact()

    def extra_repr(self) -> str:
        """Return the passes and what the width came to."""
        return f"{self.passes} passes, {self.network.width} hidden units{', mirrored' * self.mirrored}"

    def configuration(self) -> Sequence[int]:
        """Return block, passes, the network's width (or AUTO) and whether mirror images share weights.

        The last is left out where they do: files had five integers before weights could be free.
        """
        return *self.block, self.passes, self.width, *(() if self.mirrored else (0,))

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return the model of these blocks, passes and width.

        Raises:
            ValueError: not five integers in their ranges, or six of which the last is 0.
        """
        if len(configuration) not in (5, 6) or any(configuration[5:]):
            raise ValueError(f"OctreeContext: {tuple(configuration)} is no configuration for {tuple(tensor.shape)}")
        bt, bh, bw, passes, width = configuration[:5]
        return cls(tensor, (bt, bh, bw), passes, width, mirrored=len(configuration) == 5)

    def _root(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        repeats = columns // self.root_mean.value.numel()
        mean, log2_scale = self.root_mean(), self.root_scale()
        return mean.repeat(repeats).expand(rows, -1), log2_scale.repeat(repeats).expand(rows, -1)

    def _distributions(self, towers: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
        weights = self.network.weights(towers.dtype)
        seen, magnitudes = visible(towers), magnitude(visible(towers))
        phases = [phase for group in layout.passes for phase in group]
        parts = [self._root(len(layout.root), towers.shape[1])]
        parts += [self.network(seen, magnitudes, phase, weights) for phase in phases]
        order = torch.cat([layout.root, *(phase.targets for phase in phases)]).to(towers.device)
        return order, *_snap(parts)

    def _predictions(self, towers: Tensor, block: Block) -> Predictions:
        layout = layout_of(block, self.passes)
        order, mean, log2_scale = self._distributions(towers, layout)
        sizes = [len(layout.root), *(sum(len(phase.targets) for phase in group) for group in layout.passes)]
        shape = mean.shape
        means, scales = mean_integers(mean, shape), scale_indices(log2_scale, shape)
        return Predictions(order.cpu(), sizes, means.reshape(shape), scales.reshape(shape))

    def _decode_towers(self, filled: Filled, block: Block, decoder: SymbolDecoder, device: torch.device) -> Tensor:
        layout, columns = layout_of(block, self.passes), filled.shape[1]
        weights = self.network.weights(torch.float64)
        empty = torch.zeros(layout.volume + 1, columns, dtype=torch.float64, device=device)
        decoded, seen, magnitudes = (empty.clone() for _ in range(3))
        valid = torch.from_numpy(filled)
        parts = [self._root(len(layout.root), columns)]
        targets = layout.root
        for group in [*layout.passes, ()]:
            symbols = _read(decoder, *_snap(parts), valid[targets].to(device))
            decoded[targets], seen[targets] = symbols, visible(symbols)
            magnitudes[targets] = magnitude(seen[targets])
            if group:
                parts = [self.network(seen, magnitudes, phase, weights) for phase in group]
                targets = torch.cat([phase.targets for phase in group])
        return decoded


def _read(decoder: SymbolDecoder, mean: Tensor, log2_scale: Tensor, valid: Tensor) -> Tensor:
    """Return the symbols of one call; those that are not valid are zero and were not coded.

    Shape: (P, M), all.
    """
    means, scales = mean[valid], log2_scale[valid]
    read = decoder.decode(mean_integers(means, means.shape), scale_indices(scales, means.shape))
    result: Tensor = mean.new_zeros(mean.shape, dtype=torch.float64)
    result[valid] = torch.from_numpy(read).to(result)
    return result


def _snap(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the phases' means and log2-scales, joined, on the coder's lattices."""
    mean, log2_scale = (torch.cat(part) for part in zip(*parts, strict=True))
    return snap_mean(mean), snap_log2_scale(log2_scale)


def _auto_width(symbols: int, mirrored: bool) -> int:
    """Hidden units earn their side information back only where weights are shared, and symbols many."""
    if not mirrored or symbols < 1 << 14:
        return 0
    return 4 if symbols < 1 << 17 else 8
