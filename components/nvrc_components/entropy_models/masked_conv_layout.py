"""The order in which a block is coded under causal masks, and which positions each one sees.

A masked 5x5x5 convolution sees what comes earlier in raster order (t, then h, then w). Through any number of them,
position (t, h, w) depends on no other with the same 9 t + 3 h + w: an offset back in w lowers that sum by one or more,
one back in h by 3 - 2 or more, one back in t by 9 - 6 - 2 or more. Positions of one sum, a wave, are coded together.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise, product
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
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
    """Positions of a block that are coded together, numbered as they are coded.

    Shape: neighbours (BEFORE + 1, P) numbers of their taps, where those outside the block are its volume; taps the
    same in one row, and before those but for the positions themselves.
    """

    positions: slice
    neighbours: Tensor

    @property
    def size(self) -> int:
        """How many they are."""
        return int(self.positions.stop - self.positions.start)

    @cached_property
    def taps(self) -> NDArray[np.int64]:
        """What the later convolutions see."""
        return self.neighbours.flatten().numpy()

    @cached_property
    def before(self) -> NDArray[np.int64]:
        """What the first convolution sees."""
        return self.taps[: BEFORE * self.size]


@dataclass(frozen=True)
class Layout:
    """The waves of a block, and which taps of each position lie inside it.

    Shape: order (volume,), flat positions as they are coded; inside (BEFORE, volume), bool, by flat position.
    """

    order: Tensor
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
    numbers, order = torch.sort(positions @ torch.tensor([(_RADIUS + 1) ** 2, _RADIUS + 1, 1]), stable=True)
    rank = torch.argsort(order)
    neighbours = torch.where(inside, rank[flat.clamp(0, len(order) - 1)], len(order))[:, order]
    sizes = torch.unique_consecutive(numbers, return_counts=True)[1].tolist()
    starts = [0, *accumulate(sizes)]
    spans = [slice(start, stop) for start, stop in pairwise(starts)]
    waves = tuple(Wave(span, neighbours[:, span].contiguous()) for span in spans)
    return Layout(order, waves, inside[:BEFORE])


def most_waves(block: tuple[int, int, int]) -> int:
    """Return the number of waves of a block, or somewhat more if it is small in height or width."""
    t, h, w = (n - 1 for n in block)
    return ((_RADIUS + 1) * t + h) * (_RADIUS + 1) + w + 1
