"""What context models share: blocks as towers of positions, coded call by call.

A tower has a row for each position in a block and a column for each block and channel, so that what is known of a
position lies together, and all blocks and channels are computed and decoded in one call. An encoder, which knows all
symbols, hands all calls to the coder at once.
"""

from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import Integers, SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import EntropyModel, symbol_integers
from nvrc_components.functional import block_counts, lower_bound, merge_blocks, split_blocks, upper_bound

Block = tuple[int, int, int]
Filled = NDArray[np.bool_]
_LARGEST: Final = 1 << 15
AUTO: Final = -1
"""The width that is chosen by the number of symbols, so that a network does not outweigh its gain."""


class Predictions(NamedTuple):
    """What the coder is to know of all positions.

    Shape: order (volume,), flat positions as they are decoded; sizes, how many of them each call takes; means
    (sixteenths of a step) and scale indices (volume, M), in that order.
    """

    order: Tensor
    sizes: Sequence[int]
    means: Integers
    scales: Integers


class ContextModel(EntropyModel):
    """An entropy model of one feature grid that predicts symbols from decoded ones in the same block and channel.

    Blocks are independent of each other and coded in parallel. Settings that let PyTorch's products of float32 drop
    bits (TF32, bfloat16) do not touch coding, where products are of float64 or NumPy's.

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

    @torch.no_grad()
    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append the grid's symbols, call by call.

        Raises:
            InputError: the network's sums could leave the range in which they are exact.
        """
        self.check_exact()
        block = fitted(self.block, symbols.shape)
        towers = towers_of(symbols.double(), block)
        with torch.autocast(symbols.device.type, enabled=False):
            order, sizes, means, scales = self._predictions(towers, block)
        kept = filled_of(symbols.shape, block)[order.numpy()]
        calls = np.add.reduceat(kept.sum(1), np.cumsum([0, *sizes[:-1]]))
        wanted = symbol_integers(towers[order.to(towers.device)]).reshape(kept.shape)
        encoder.encode(wanted[kept], means[kept], scales[kept], calls.tolist())

    @torch.no_grad()
    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the grid's symbols, each call from those before it."""
        block = fitted(self.block, shape)
        filled = filled_of(shape, block)
        with torch.autocast(log2_step.device.type, enabled=False):
            towers = self._decode_towers(filled, block, decoder, log2_step.device)
        return grid_of(towers, shape, block).float()

    @abstractmethod
    def check_exact(self) -> None:
        """Require every partial sum to be an integer that float32 holds, in units of its lattice.

        Raises:
            InputError: the quantised weights allow for larger ones.
        """

    @abstractmethod
    def _predictions(self, towers: Tensor, block: Block) -> Predictions:
        """Return what the coder is to know; every position sees what its call will see.

        Shape: (volume + 1, M), the last row padding.
        """

    @abstractmethod
    def _decode_towers(self, filled: Filled, block: Block, decoder: SymbolDecoder, device: torch.device) -> Tensor:
        """Decode all positions of all blocks and return their symbols; those that are not filled are zero.

        Shape: (volume, M) -> (volume + 1, M), float64.
        """


def fitted(block: Block, shape: torch.Size) -> Block:
    """Return the block cut down to a grid smaller than it, so that no call codes only padding."""
    return min(block[0], shape[0]), min(block[1], shape[2]), min(block[2], shape[3])


def towers_of(grid: Tensor, block: Block) -> Tensor:
    """Return the grid with a row per position in a block.

    Shape: (T, C, H, W) -> (volume + 1, N * C); the last row is zero, for taps outside the block.
    """
    rows = split_blocks(grid, block).flatten(2).permute(2, 0, 1).flatten(1)
    return torch.cat([rows, rows.new_zeros(1, rows.shape[1])])


def filled_of(shape: torch.Size, block: Block) -> Filled:
    """Return which entries of the grid's towers are not padding.

    Shape: (T, C, H, W) -> (volume, N * C).
    """
    ones = torch.ones(shape[0], 1, *shape[2:], dtype=torch.uint8)
    return towers_of(ones, block)[:-1].bool().repeat_interleave(shape[1], 1).numpy()


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
