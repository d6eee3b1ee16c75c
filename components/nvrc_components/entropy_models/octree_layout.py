"""Where the octree's passes fall in a block, and which decoded neighbours each position sees.

A block is a tower of dyadic lattices: positions whose coordinates are multiples of 8, of 4, of 2, all. Each finer
lattice adds seven phases (odd along t, h, w in any combination) around the parents it contains. Phases are grouped
by how many axes they are odd along, so that later groups are interpolated from neighbours on both sides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

import torch
from torch import Tensor

Offset = tuple[int, int, int]
Parity = tuple[int, int, int]

ROOT_STRIDE: Final = 8
STRIDES: Final = (4, 2, 1)
PARITIES: Final = tuple((t, h, w) for t, h, w in product((0, 1), repeat=3) if t or h or w)
PASSES: Final = (4, 10, 22)
_MOST_TAPS: Final = 26
_GROUP_OF: Final[dict[int, Callable[[Parity], int]]] = {
    4: lambda parity: 1,
    10: sum,
    22: lambda parity: 1 + sorted(PARITIES, key=lambda p: (sum(p), p)).index(parity),
}


@dataclass(frozen=True)
class Taps:
    """The decoded neighbours that a phase sees, as offsets in units of the lattice's stride.

    Mirror images are of one class: `classes[i]` is that of `offsets[i]`, numbered from 0 without gaps.
    """

    offsets: tuple[Offset, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Phase:
    """Positions of a block that are coded together with the same neighbourhood.

    Shape: `targets` (P,) flat positions; `neighbours` (K * P,) flat positions of K taps, the block's volume where
    a tap falls outside the block. `row` counts (stride, parity) pairs, `parity` the seven parities.
    """

    targets: Tensor
    neighbours: Tensor
    taps: Taps
    row: int
    parity: int


@dataclass(frozen=True)
class Layout:
    """All passes of a block: the root positions, then groups of phases."""

    volume: int
    root: Tensor
    passes: tuple[tuple[Phase, ...], ...]


@lru_cache(maxsize=64)
def taps_of(parity: Parity, passes: int) -> Taps:
    """Return the nearest decoded neighbours within two lattice steps, whole mirror classes, at most 26."""
    group = _GROUP_OF[passes]
    classes: dict[Offset, list[Offset]] = {}
    for t, h, w in product(range(-2, 3), repeat=3):
        seen = (parity[0] ^ t & 1, parity[1] ^ h & 1, parity[2] ^ w & 1)
        if not any(seen) or group(seen) < group(parity):
            classes.setdefault((abs(t), abs(h), abs(w)), []).append((t, h, w))
    offsets: list[Offset] = []
    owners: list[int] = []
    ordered = sorted(classes, key=lambda c: (c[0] ** 2 + c[1] ** 2 + c[2] ** 2, c))
    for owner, key in enumerate(ordered):
        if len(offsets) + len(classes[key]) > _MOST_TAPS:
            break
        offsets += classes[key]
        owners += [owner] * len(classes[key])
    return Taps(tuple(offsets), tuple(owners))


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept here must serve training as well
def layout_of(block: tuple[int, int, int], passes: int) -> Layout:
    """Return the passes of a block of this size; axes need not be powers of two."""
    root = _flat(torch.cartesian_prod(*(torch.arange(0, n, ROOT_STRIDE) for n in block)), block)
    group = _GROUP_OF[passes]
    groups: list[tuple[Phase, ...]] = []
    for level, stride in enumerate(STRIDES):
        numbers = sorted({group(parity) for parity in PARITIES})
        for number in numbers:
            members = [(i, p) for i, p in enumerate(PARITIES) if group(p) == number]
            phases = [_phase(block, stride, parity, level * 7 + i, i, passes) for i, parity in members]
            groups.append(tuple(phase for phase in phases if len(phase.targets)))
    volume = block[0] * block[1] * block[2]
    return Layout(volume, root, tuple(g for g in groups if g))


def _phase(block: tuple[int, int, int], stride: int, parity: Parity, row: int, index: int, passes: int) -> Phase:
    taps = taps_of(parity, passes)
    axes = [range(stride * odd, n, 2 * stride) for odd, n in zip(parity, block, strict=True)]
    positions = torch.tensor(list(product(*axes)), dtype=torch.long).view(-1, 3)
    neighbours = positions + torch.tensor(taps.offsets)[:, None] * stride
    return Phase(_flat(positions, block), _flat(neighbours, block).flatten(), taps, row, index)


def _flat(positions: Tensor, block: tuple[int, int, int]) -> Tensor:
    """Return flat indices of (..., 3) positions; outside the block its volume, where a zero is kept."""
    size = torch.tensor(block)
    inside = ((positions >= 0) & (positions < size)).all(-1)
    flat = (positions[..., 0] * block[1] + positions[..., 1]) * block[2] + positions[..., 2]
    return torch.where(inside, flat, block[0] * block[1] * block[2])
