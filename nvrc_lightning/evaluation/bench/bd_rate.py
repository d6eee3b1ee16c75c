"""Bjontegaard's deltas between rate-distortion curves, with a warning where curves have too little in common.

BD-rate is the mean difference of log-rate over the qualities that both curves cover, BD-PSNR that of quality over the
log-rates that both cover (VCEG-M33). Between the points the curves are interpolated by the package `bjontegaard`.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

__all__ = ["FEWEST_POINTS", "LEAST_OVERLAP", "BdDelta", "Method", "RatePoint", "bd_psnr", "bd_rate", "decibels"]

LEAST_OVERLAP = 0.5
"""Share of the shorter curve's range that both must cover; below it a delta is marked as not holding."""

FEWEST_POINTS = 3
"""Points a curve needs; with fewer nothing says how it bends."""

Method = Literal["akima", "pchip"]
"""Akima's interpolation, or piecewise cubic Hermite interpolation as in the common test conditions of VVC."""


class RatePoint(NamedTuple):
    """Bits per pixel, and quality at that rate: larger is better."""

    rate: float
    quality: float


@dataclass(frozen=True)
class BdDelta:
    """How far one curve is from another.

    Args:
        value: percent of rate, or quality in its own unit; NaN where there is none.
        overlap: share of the shorter range that both curves cover, 0 to 1.
        doubt: why the value does not hold; empty where it does.
    """

    value: float
    overlap: float
    doubt: str = ""

    @property
    def holds(self) -> bool:
        """Whether the value may be reported."""
        return not self.doubt

    def text(self, unit: str = "%") -> str:
        """The value for readers; where it does not hold, the reason instead of it."""
        return f"{self.value:+.1f} {unit}" if self.holds else f"none ({self.doubt})"


def bd_rate(anchor: Sequence[RatePoint], test: Sequence[RatePoint], method: Method = "akima") -> BdDelta:
    """Rate that a codec needs more than the anchor at the same quality, in percent; negative is a saving.

    Args:
        anchor: the curve compared with, in any order.
        test: the curve of the codec.
        method: interpolation.
    """
    from bjontegaard import bd_rate as interpolated  # loads scipy and matplotlib, which takes a second

    return _delta(anchor, test, method, interpolated, lambda point: point.quality)


def bd_psnr(anchor: Sequence[RatePoint], test: Sequence[RatePoint], method: Method = "akima") -> BdDelta:
    """Quality that a codec gives more than the anchor at the same rate, in the unit of the quality.

    Args:
        anchor: the curve compared with, in any order.
        test: the curve of the codec.
        method: interpolation.
    """
    from bjontegaard import bd_psnr as interpolated

    return _delta(anchor, test, method, interpolated, lambda point: math.log(point.rate))


def decibels(similarity: float) -> float:
    """MS-SSIM in dB, -10 log10(1 - MS-SSIM), in which deltas of it are taken: nearly as even a scale as PSNR."""
    return -10 * math.log10(max(1 - similarity, 1e-10))


def _delta(
    anchor: Sequence[RatePoint],
    test: Sequence[RatePoint],
    method: Method,
    interpolated: Callable[..., float],
    axis: Callable[[RatePoint], float],
) -> BdDelta:
    """The delta, and whether it holds; `axis` is what both curves must have in common."""
    curves = [sorted(set(curve)) for curve in (anchor, test)]
    if doubt := next(filter(None, map(_unfit, curves)), ""):
        return BdDelta(math.nan, 0.0, doubt)
    overlap = _overlap(*([axis(point) for point in curve] for curve in curves))
    if overlap <= 0:
        return BdDelta(math.nan, 0.0, "the curves have no common range")
    columns = [[point[column] for point in curve] for curve in curves for column in (0, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too little overlap, by a measure that suits steep curves less
        value = float(interpolated(*columns, method=method, require_matching_points=False, min_overlap=0))
    few = f"the curves share {100 * overlap:.0f} % of the shorter range, {100 * LEAST_OVERLAP:.0f} % are needed"
    return BdDelta(value, overlap, "" if overlap >= LEAST_OVERLAP else few)


def _unfit(curve: Sequence[RatePoint]) -> str:
    """Why no curve can be laid through these points; empty if one can."""
    if len(curve) < FEWEST_POINTS:
        return f"a curve has {len(curve)} points, {FEWEST_POINTS} are needed"
    if not all(math.isfinite(value) for point in curve for value in point):
        return "a curve has points without a score"
    rises = all(a.rate < b.rate and a.quality < b.quality for a, b in pairwise(curve))
    return "" if rises else "quality does not rise with the rate along a curve"


def _overlap(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Common part of two ranges, as a share of the shorter one."""
    common = min(max(ours), max(theirs)) - max(min(ours), min(theirs))
    return max(0.0, common) / min(max(ours) - min(ours), max(theirs) - min(theirs))
