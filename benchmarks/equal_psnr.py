"""What recipes cost at equal PSNR: bits of each point against the curve of a reference on the same clip.

python benchmarks/equal_psnr.py nvrc_ablations.csv --reference nvrc

Tables are those of rate_distortion.py. Between the reference's points the logarithm of bytes is linear in PSNR-RGB; a
point beyond its ends, marked by a star, is compared along the nearest two.
"""

import argparse
import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple


class Point(NamedTuple):
    """A file: its clip, recipe, lambda, bytes and decibels."""

    clip: str
    recipe: str
    lmbda: float
    size: int
    psnr: float


def read_points(tables: Sequence[Path]) -> list[Point]:
    """Return the points of tables that `rate_distortion.py` wrote."""
    points = []
    for table in tables:
        with table.open(newline="") as lines:
            for row in csv.DictReader(lines):
                lmbda, size, psnr = float(row["lambda"]), int(row["bytes"]), float(row["psnr_rgb"])
                points.append(Point(row["clip"], row["recipe"], lmbda, size, psnr))
    return points


def log_bytes(curve: Sequence[Point], psnr: float) -> float:
    """Return the natural logarithm of a curve's bytes at a PSNR.

    Raises:
        ValueError: the curve has fewer than two points, or does not rise.
    """
    points = sorted(curve, key=lambda point: point.size)
    if len(points) < 2 or any(a.psnr >= b.psnr for a, b in pairwise(points)):
        raise ValueError(f"a reference needs two points or more, and PSNR that rises with bytes; there is {points}")
    above = next((i for i, point in enumerate(points) if point.psnr >= psnr), len(points))
    low, high = points[min(max(above, 1), len(points) - 1) - 1 :][:2]
    share = (psnr - low.psnr) / (high.psnr - low.psnr)
    return (1 - share) * math.log(low.size) + share * math.log(high.size)


def summary(recipe: str, clips: dict[str, list[float]]) -> str:
    """Return a recipe's mean, its standard error as if points were independent, and the means of its clips."""
    whole = [excess for excesses in clips.values() for excess in excesses]
    error = statistics.stdev(whole) / math.sqrt(len(whole)) if len(whole) > 1 else math.nan
    parts = ", ".join(f"{clip} {percent(statistics.mean(each))}" for clip, each in clips.items())
    return f"{recipe}: {percent(statistics.mean(whole))} (+- {100 * error:.1f} %, {len(whole)} points); {parts}"


def percent(excess: float) -> str:
    """Return a difference of logarithms as text."""
    return f"{100 * math.expm1(excess):+.1f} %"


def main() -> None:
    """Print the table, then the mean of each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--reference", required=True)
    options = parser.parse_args()
    points = read_points(options.tables)
    costs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    print("| clip | recipe | lambda | bytes | PSNR-RGB | at equal PSNR |\n|---|---|---|---|---|---|")
    for point in sorted(points):
        cost = ""
        if point.recipe != options.reference:
            curve = [other for other in points if (other.clip, other.recipe) == (point.clip, options.reference)]
            excess = math.log(point.size) - log_bytes(curve, point.psnr)
            costs[point.recipe][point.clip].append(excess)
            beyond = not min(other.psnr for other in curve) <= point.psnr <= max(other.psnr for other in curve)
            cost = percent(excess) + "*" * beyond
        print(f"| {point.clip} | {point.recipe} | {point.lmbda:g} | {point.size:,} | {point.psnr:.2f} | {cost} |")
    for recipe, clips in costs.items():
        print(summary(recipe, clips))


if __name__ == "__main__":
    main()
