"""The order in which a block is coded under causal masks, and which positions each one sees.

A masked 5x5x5 convolution sees what comes earlier in raster order (t, then h, then w). Through any number of them,
position (t, h, w) depends on no other with the same 9 t + 3 h + w: an offset back in w lowers that sum by one or more,
one back in h by 3 - 2 or more, one back in t by 9 - 6 - 2 or more. Positions of one sum, a wave, are coded together.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

import torch
from torch import Tensor

Offset = tuple[int, int, int]

_RADIUS: Final = 2
OFFSETS: Final[tuple[Offset, ...]] = tuple(
    (t, h, w) for t in (-2, -1, 0) for h in range(-2, 3) for w in range(-2, 3) if (t, h, w) <= (0, 0, 0)
)
"""What the later convolutions see, in raster order; the first one does not see the last of them, the centre."""

BEFORE: Final = len(OFFSETS) - 1
"""How many of the offsets the first convolution sees."""


@dataclass(frozen=True)
class Wave:
    """Positions of a block that are coded together.

    Shape: targets (P,) flat positions, rising; neighbours (BEFORE + 1, P) flat positions of their taps, where those
    outside the block are its volume.
    """

    targets: Tensor
    neighbours: Tensor


@dataclass(frozen=True)
class Layout:
    """The waves of a block, and which taps of each position lie inside it.

    Shape: inside (BEFORE, volume), bool.
    """

    waves: tuple[Wave, ...]
    inside: Tensor


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept here must serve training as well
def layout_of(block: tuple[int, int, int]) -> Layout:
    """Return the waves of a block of this size, in coding order."""
    positions = torch.tensor(list(product(*map(range, block))))
    around = positions + torch.tensor(OFFSETS)[:, None]
    inside = ((around >= 0) & (around < torch.tensor(block))).all(-1)
    flat = (around[..., 0] * block[1] + around[..., 1]) * block[2] + around[..., 2]
    neighbours = torch.where(inside, flat, len(positions))
    numbers, order = torch.sort(positions @ torch.tensor([(_RADIUS + 1) ** 2, _RADIUS + 1, 1]), stable=True)
    sizes = torch.unique_consecutive(numbers, return_counts=True)[1].tolist()
    waves = tuple(Wave(members, neighbours[:, members].contiguous()) for members in torch.split(order, sizes))
    return Layout(waves, inside[:BEFORE])


def most_waves(block: tuple[int, int, int]) -> int:
    """Return the number of waves of a block, or somewhat more if it is small in height or width."""
    t, h, w = (n - 1 for n in block)
    return ((_RADIUS + 1) * t + h) * (_RADIUS + 1) + w + 1
