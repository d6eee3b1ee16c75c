"""What context models share: blocks as towers of positions, and the coding of one call's symbols.

A tower has a row for each position in a block and a column for each block and channel, so that what is known of a
position lies together, and all blocks and channels are computed and coded in one call.
"""

from abc import abstractmethod
from math import prod
from typing import Final, Protocol

import torch
from torch import Tensor

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import EntropyModel, mean_integers, scale_indices, symbol_integers
from nvrc_components.functional import block_counts, lower_bound, merge_blocks, split_blocks, upper_bound

Block = tuple[int, int, int]
_LARGEST: Final = 1 << 15
AUTO: Final = -1
"""The width that is chosen by the number of symbols, so that a network does not outweigh its gain."""


class Coder(Protocol):
    """Codes the symbols of one call: writes the given ones, or reads and returns them."""

    def code(self, symbols: Tensor, mean: Tensor, log2_scale: Tensor, valid: Tensor) -> Tensor:
        """Return the symbols; those that are not `valid` are padding, zero and not coded.

        Shape: (P, M) positions and columns, all four and the result.
        """


class ContextModel(EntropyModel):
    """An entropy model of one feature grid that predicts symbols from decoded ones in the same block and channel.

    Blocks are independent of each other and coded in parallel. Coding runs in float64, so that settings that let
    float32 products drop bits (TF32, bfloat16) do not touch it.

    Shape: grid (T, C, H, W), cut into blocks of `block` = (bt, bh, bw), smaller where the grid is.

    Raises:
        ValueError: the tensor is no grid, or a block is of no size or of more than 2^15 positions.
    """

    def __init__(self, tensor: Tensor, block: Block) -> None:
        super().__init__(tensor)
        if min(block) < 1 or prod(block) > _LARGEST:
            raise ValueError(f"blocks of {block} are of no size, or of more than {_LARGEST} positions")
        if tensor.dim() != 4:
            name = type(self).__name__
            raise ValueError(f"{name} models (T, C, H, W) grids, not a tensor of shape {tuple(tensor.shape)}")
        self.block = block

    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append the grid's symbols, call by call.

        Raises:
            InputError: the network's sums could leave the range in which they are exact.
        """
        self.check_exact()
        self._code(symbols, _Writer(encoder))

    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the grid's symbols, each call from those before it."""
        return self._code(torch.zeros(shape, device=log2_step.device), _Reader(decoder))

    @abstractmethod
    def check_exact(self) -> None:
        """Require every partial sum to be an integer that float32 holds, in units of its lattice.

        Raises:
            InputError: the quantised weights allow for larger ones.
        """

    @abstractmethod
    def _code_towers(self, towers: Tensor, valid: Tensor, block: Block, coder: Coder) -> Tensor:
        """Code all positions of all blocks and return their symbols.

        Shape: towers and valid (volume + 1, M), the last row padding -> (volume + 1, M).
        """

    @torch.no_grad()
    def _code(self, grid: Tensor, coder: Coder) -> Tensor:
        with torch.autocast(grid.device.type, enabled=False):
            block = fitted(self.block, grid.shape)
            towers, valid = towers_of(grid.double(), block)
            return grid_of(self._code_towers(towers, valid.bool(), block, coder), grid.shape, block).float()


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


def fitted(block: Block, shape: torch.Size) -> Block:
    """Return the block cut down to a grid smaller than it, so that no call codes only padding."""
    return min(block[0], shape[0]), min(block[1], shape[2]), min(block[2], shape[3])


def towers_of(grid: Tensor, block: Block) -> tuple[Tensor, Tensor]:
    """Return the grid with a row per position in a block, and which entries are not padding.

    Shape: (T, C, H, W) -> (volume + 1, N * C) twice; the last row is zero, for taps outside the block.
    """
    blocks = split_blocks(grid, block)
    ones = split_blocks(torch.ones_like(grid[:, :1]), block).expand_as(blocks)
    rows = (x.flatten(2).permute(2, 0, 1).flatten(1) for x in (blocks, ones))
    towers, valid = (torch.cat([x, x.new_zeros(1, x.shape[1])]) for x in rows)
    return towers, valid


def grid_of(towers: Tensor, shape: torch.Size, block: Block) -> Tensor:
    """Return the grid whose towers these are.

    Shape: (volume + 1, N * C) -> `shape` = (T, C, H, W).
    """
    count = prod(block_counts(shape, block))
    blocks = towers[:-1].view(*block, count, shape[1]).permute(3, 4, 0, 1, 2)
    return merge_blocks(blocks, tuple(shape), block).contiguous()


def visible(symbols: Tensor) -> Tensor:
    """Return symbols as contexts see them, clamped to +-127."""
    limit = float(lattice.CONTEXT_LIMIT)
    return upper_bound(lower_bound(symbols, -limit), limit)


def magnitude(symbols: Tensor) -> Tensor:
    """Return log2(1 + |symbol|) on the lattice of 1/16, from a constant table, linear between integers."""
    table = torch.from_numpy(lattice.magnitudes()).to(symbols) / 16
    size = symbols.abs()
    below = size.detach().floor()
    # Clamped, so that a NaN finds an entry, and comes out of the difference.
    index = below.long().clamp(0, lattice.CONTEXT_LIMIT)
    start = table[index]
    return start + (table[index + 1] - start) * (size - below)
