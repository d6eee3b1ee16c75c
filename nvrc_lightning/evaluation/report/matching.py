"""Which points of a video are set side by side: those at nearly the same rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.curves import Curve

__all__ = ["Level", "levels_of"]

_APART = 1.5  # times: what two levels of one video are apart at least
_MOST = 2


@dataclass(frozen=True)
class Level:
    """A rate, and of every curve the point nearest to it.

    Args:
        bpp: the rate, in bits per pixel: that of a point of the first curve.
        points: one of each curve that has any, with the number of the curve.
    """

    bpp: float
    points: tuple[tuple[int, Point], ...]

    @property
    def mismatch(self) -> float:
        """How far the farthest point is from the rate, in octaves."""
        return max(_octaves(point, self.bpp) for _, point in self.points)


def levels_of(video: str, curves: Sequence[Curve]) -> tuple[Level, ...]:
    """At most two rates at which the curves can best be compared, the better matched first."""
    mine = [(number, curve.points[video]) for number, curve in enumerate(curves) if video in curve.points]
    candidates = [_level(point.result.rate.bpp, mine) for point in mine[0][1]]
    chosen: list[Level] = []
    for level in sorted(candidates, key=lambda level: (round(level.mismatch, 9), level.bpp)):
        if len(chosen) < _MOST and all(abs(math.log(level.bpp / other.bpp)) >= math.log(_APART) for other in chosen):
            chosen.append(level)
    return tuple(chosen)


def _level(bpp: float, curves: Sequence[tuple[int, Sequence[Point]]]) -> Level:
    return Level(bpp, tuple((number, min(points, key=lambda p: _octaves(p, bpp))) for number, points in curves))


def _octaves(point: Point, bpp: float) -> float:
    """Distance of two rates, in factors of two."""
    return abs(math.log2(point.result.rate.bpp / bpp))
