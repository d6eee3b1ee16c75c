"""Octree context model: blocks are coded coarse to fine, each pass from decoded neighbours on both sides.

    grid -> blocks -> root: one Gaussian a channel
                   -> pass 1, 2, ...: decoded neighbours -> OctreeNetwork -> mean, scale -> coder

NVRC-Lite (arXiv 2512.04019) names the idea; `octree_layout` says how positions fall into passes.
"""

from collections.abc import Sequence
from math import prod
from typing import ClassVar, Final, Protocol

import torch
from torch import Tensor
from typing_extensions import Self

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import (
    EntropyModel,
    coded_bits,
    mean_integers,
    scale_indices,
    snap_log2_scale,
    snap_mean,
    symbol_integers,
)
from nvrc_components.entropy_models.octree_layout import PASSES, Layout, layout_of
from nvrc_components.entropy_models.octree_network import WIDEST, OctreeNetwork, magnitude, visible
from nvrc_components.functional import block_counts, merge_blocks, split_blocks
from nvrc_components.side import SideTensor

AUTO: Final = -1
Block = tuple[int, int, int]


class OctreeContext(EntropyModel):
    """Context model of one feature grid; blocks are independent of each other and coded in parallel.

    Shape: grid (T, C, H, W). `passes` is 4, 10 or 22; `width` counts the hidden units that turn neighbours'
    magnitudes into a scale (AUTO: by the number of symbols, so that the network does not outweigh its gain).

    Raises:
        ValueError: for any other number of passes, a width beyond 16, or a tensor that is no grid.
    """

    kind: ClassVar[int] = 3

    def __init__(self, tensor: Tensor, block: Block = (16, 8, 8), passes: int = 10, width: int = AUTO) -> None:
        super().__init__(tensor)
        if tensor.dim() != 4:
            raise ValueError(f"OctreeContext models (T, C, H, W) grids, not a tensor of shape {tuple(tensor.shape)}")
        self.block = block
        self.passes = passes
        self.width = width
        if passes not in PASSES:
            raise ValueError(f"passes is {passes}; an octree has 4, 10 or 22")
        if not AUTO <= width <= WIDEST:
            raise ValueError(f"width is {width}, outside 0..{WIDEST} and AUTO = {AUTO}")
        channels = tensor.shape[1]
        self.root_mean = SideTensor(torch.zeros(channels))
        self.root_scale = SideTensor(torch.zeros(channels))
        self.network = OctreeNetwork(channels, passes, _auto_width(tensor.numel()) if width == AUTO else width)

    def bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of a whole grid in one parallel pass: every position sees what its pass will see.

        Shape: (T, C, H, W) -> scalar, bits.
        """
        block = _fitted(self.block, symbols.shape)
        layout = layout_of(block, self.passes)
        towers, valid = _towers(symbols.float(), block)
        with torch.autocast(symbols.device.type, enabled=False):
            order, mean, log2_scale = self._distributions(towers, layout)
        bits = coded_bits(towers.index_select(0, order), mean, log2_scale)
        return (bits * valid.index_select(0, order)).sum()

    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append the grid's symbols, pass by pass."""
        self._code(symbols, _Writer(encoder))

    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the grid's symbols, each pass from those before it."""
        return self._code(torch.zeros(shape, device=log2_step.device), _Reader(decoder))

    def configuration(self) -> Sequence[int]:
        """Return block, passes and the network's width (or AUTO)."""
        return *self.block, self.passes, self.width

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return the model of these blocks, passes and width.

        Raises:
            ValueError: not five integers in their ranges.
        """
        if len(configuration) != 5 or not all(1 <= n <= 64 for n in configuration[:3]):
            raise ValueError(f"OctreeContext: {tuple(configuration)} is no configuration for {tuple(tensor.shape)}")
        bt, bh, bw, passes, width = configuration
        return cls(tensor, (bt, bh, bw), passes, width)

    def _root(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        repeats = columns // self.root_mean.value.numel()
        mean, log2_scale = self.root_mean(), self.root_scale()
        return mean.repeat(repeats).expand(rows, -1), log2_scale.repeat(repeats).expand(rows, -1)

    def _distributions(self, towers: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
        weights = self.network.weights()
        seen, magnitudes = visible(towers), magnitude(visible(towers))
        phases = [phase for group in layout.passes for phase in group]
        parts = [self._root(len(layout.root), towers.shape[1])]
        parts += [self.network(seen, magnitudes, phase, weights) for phase in phases]
        order = torch.cat([layout.root, *(phase.targets for phase in phases)]).to(towers.device)
        return order, *_snap(parts)

    @torch.no_grad()
    def _code(self, grid: Tensor, coder: "_Coder") -> Tensor:
        with torch.autocast(grid.device.type, enabled=False):
            return self._code_passes(grid.double(), coder).float()

    def _code_passes(self, grid: Tensor, coder: "_Coder") -> Tensor:
        block = _fitted(self.block, grid.shape)
        layout = layout_of(block, self.passes)
        towers, valid = _towers(grid, block)
        weights = self.network.weights(towers.dtype)
        decoded, seen, magnitudes = (torch.zeros_like(towers) for _ in range(3))
        parts = [self._root(len(layout.root), towers.shape[1])]
        targets = layout.root.to(grid.device)
        for group in [*layout.passes, ()]:
            mean, log2_scale = _snap(parts)
            symbols = coder.code(towers[targets], mean, log2_scale, valid[targets].bool())
            decoded[targets], seen[targets] = symbols, visible(symbols)
            magnitudes[targets] = magnitude(seen[targets])
            if group:
                parts = [self.network(seen, magnitudes, phase, weights) for phase in group]
                targets = torch.cat([phase.targets for phase in group]).to(grid.device)
        return _grid(decoded, grid.shape, block)


class _Coder(Protocol):
    """Codes the symbols of one pass: writes the given ones, or reads and returns them."""

    def code(self, symbols: Tensor, mean: Tensor, log2_scale: Tensor, valid: Tensor) -> Tensor: ...


class _Writer:
    def __init__(self, encoder: SymbolEncoder) -> None:
        self.encoder = encoder

    def code(self, symbols: Tensor, mean: Tensor, log2_scale: Tensor, valid: Tensor) -> Tensor:
        wanted = symbols[valid]
        means = mean_integers(mean[valid], wanted.shape)
        self.encoder.encode(symbol_integers(wanted), means, scale_indices(log2_scale[valid], wanted.shape))
        return symbols


class _Reader:
    def __init__(self, decoder: SymbolDecoder) -> None:
        self.decoder = decoder

    def code(self, symbols: Tensor, mean: Tensor, log2_scale: Tensor, valid: Tensor) -> Tensor:
        means, scales = mean[valid], log2_scale[valid]
        read = self.decoder.decode(mean_integers(means, means.shape), scale_indices(scales, means.shape))
        result = torch.zeros_like(symbols)
        result[valid] = torch.from_numpy(read).to(symbols.device, symbols.dtype)
        return result


def _snap(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the phases' means and log2-scales, joined, on the coder's lattices."""
    mean, log2_scale = (torch.cat(part) for part in zip(*parts, strict=True))
    return snap_mean(mean), snap_log2_scale(log2_scale)


def _auto_width(symbols: int) -> int:
    """A hidden unit costs about 30 bytes of side information: it must have enough symbols to earn them back."""
    return 0 if symbols < 1 << 14 else 4 if symbols < 1 << 17 else 8


def _fitted(block: Block, shape: torch.Size) -> Block:
    """Return the block cut down to a grid smaller than it, so that no pass codes only padding."""
    return min(block[0], shape[0]), min(block[1], shape[2]), min(block[2], shape[3])


def _towers(grid: Tensor, block: Block) -> tuple[Tensor, Tensor]:
    """Return the grid with a row per position in a block, and which entries are not padding.

    Shape: (T, C, H, W) -> (volume + 1, N * C) twice; the last row is zero, for taps outside the block.
    """
    blocks = split_blocks(grid, block)
    ones = split_blocks(torch.ones_like(grid[:, :1]), block).expand_as(blocks)
    rows = (x.flatten(2).permute(2, 0, 1).flatten(1) for x in (blocks, ones))
    towers, valid = (torch.cat([x, x.new_zeros(1, x.shape[1])]) for x in rows)
    return towers, valid


def _grid(towers: Tensor, shape: torch.Size, block: Block) -> Tensor:
    count = prod(block_counts(shape, block))
    blocks = towers[:-1].view(*block, count, shape[1]).permute(3, 4, 0, 1, 2)
    return merge_blocks(blocks, tuple(shape), block).contiguous()
