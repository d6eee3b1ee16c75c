"""Cutting feature grids into 3-D blocks, and putting them together again."""

import math

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

Block = tuple[int, int, int]


def block_counts(shape: tuple[int, ...], block: Block) -> Block:
    """Return how many blocks cover a (T, C, H, W) grid along T, H and W; the last ones may overhang.

    Raises:
        ValueError: If the shape is not of four dimensions or a block size is below 1.
    """
    if len(shape) != 4 or min(block) < 1:
        raise ValueError(f"expected a (T, C, H, W) shape and positive block sizes, got {shape} and {block}")
    frames, _, height, width = shape
    return math.ceil(frames / block[0]), math.ceil(height / block[1]), math.ceil(width / block[2])


def split_blocks(x: Tensor, block: Block) -> Tensor:
    """Cut a grid into blocks of (t, h, w) elements, zero-padded at its ends; t-major order, then h, then w.

    Shape:
        (T, C, H, W) -> (N, C, bt, bh, bw) with `N = prod(block_counts(x.shape, block))`.

    Raises:
        ValueError: If `x` is not of four dimensions or a block size is below 1.
    """
    nt, nh, nw = block_counts(tuple(x.shape), block)
    bt, bh, bw = block
    t, _, h, w = x.shape
    if (nt * bt, nh * bh, nw * bw) != (t, h, w):
        x = F.pad(x, (0, nw * bw - w, 0, nh * bh - h, 0, 0, 0, nt * bt - t))
    return rearrange(x, "(nt bt) c (nh bh) (nw bw) -> (nt nh nw) c bt bh bw", bt=bt, bh=bh, bw=bw)


def merge_blocks(blocks: Tensor, shape: tuple[int, ...], block: Block) -> Tensor:
    """Put blocks together into the grid that `split_blocks` cut, dropping the padding.

    Shape:
        (N, C, bt, bh, bw) -> `shape` = (T, C, H, W).

    Raises:
        ValueError: If the blocks do not fit the shape.
    """
    counts = block_counts(shape, block)
    if tuple(blocks.shape) != (math.prod(counts), shape[1], *block):
        raise ValueError(f"blocks of shape {tuple(blocks.shape)} do not make {shape} cut by {block}")
    nt, nh, nw = counts
    grid = rearrange(blocks, "(nt nh nw) c bt bh bw -> (nt bt) c (nh bh) (nw bw)", nt=nt, nh=nh, nw=nw)
    return grid[: shape[0], :, : shape[2], : shape[3]]
