"""What recipes cost beside a reference, from points of both on the same clips.

python benchmarks/compare_recipes.py nvrc_three_clips.csv --reference nvrc

Tables are those of rate_distortion.py. At equal lambda: by how much R + lambda D, which training minimises, exceeds the
reference's, as a part of the reference's R; that many bits more would be as bad. At equal PSNR: bytes against the
reference's curve, between whose points their logarithm is linear in PSNR-RGB; a point beyond its ends, marked by a
star, is compared along the nearest two; a reference of a single point has none. Where a curve is flat, small chances
make large differences at equal PSNR. Trainings of other networks, lengths or seeds are other recipes, and need names of
their own in a table that has both.
"""

import argparse
import csv
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple


class Point(NamedTuple):
    """A file: bytes, bits per pixel, decibels, and the distortion that training minimises."""

    clip: str
    recipe: str
    lmbda: float
    size: int
    bpp: float
    psnr: float
    distortion: float


def read_points(tables: Sequence[Path]) -> list[Point]:
    """Return the points of tables that `rate_distortion.py` wrote, each once though several tables have it."""
    points = []
    for table in tables:
        with table.open(newline="") as lines:
            for row in csv.DictReader(lines):
                figures = (float(row[name]) for name in ("bpp", "psnr_rgb", "distortion"))
                points.append(Point(row["clip"], row["recipe"], float(row["lambda"]), int(row["bytes"]), *figures))
    return list(dict.fromkeys(points))


def check_reference(points: Sequence[Point], reference: str) -> None:
    """Refuse a reference whose points are of more than one training.

    Raises:
        ValueError: two points of it have the same clip and lambda.
    """
    counts = Counter((each.clip, each.lmbda) for each in points if each.recipe == reference)
    for (clip, lmbda), count in counts.items():
        if count > 1:
            raise ValueError(
                f"{clip}: there are {count} trainings of {reference!r} with lambda {lmbda:g}; give them different names"
            )


def cost_at_equal_lambda(point: Point, reference: Point) -> float:
    """Return how much more R + lambda D is, as a part of the reference's R."""
    more = point.bpp - reference.bpp + point.lmbda * (point.distortion - reference.distortion)
    return more / reference.bpp


def cost_at_equal_psnr(point: Point, curve: Sequence[Point]) -> float:
    """Return how many more bytes there are than the curve has at that PSNR, as a part of those.

    Raises:
        ValueError: the curve has fewer than two points, or does not rise.
    """
    points = sorted(curve, key=lambda each: each.size)
    if len(points) < 2 or any(a.psnr >= b.psnr for a, b in pairwise(points)):
        raise ValueError(f"a reference needs two points or more, and PSNR that rises with bytes; there is {points}")
    above = next((i for i, each in enumerate(points) if each.psnr >= point.psnr), len(points))
    low, high = points[min(max(above, 1), len(points) - 1) - 1 :][:2]
    share = (point.psnr - low.psnr) / (high.psnr - low.psnr)
    return math.expm1(math.log(point.size) - (1 - share) * math.log(low.size) - share * math.log(high.size))


def summary(recipe: str, clips: dict[str, list[float]]) -> str:
    """Return a recipe's mean, its standard error as if points were independent, and the means of its clips."""
    whole = [cost for costs in clips.values() for cost in costs]
    error = statistics.stdev(whole) / math.sqrt(len(whole)) if len(whole) > 1 else math.nan
    parts = ", ".join(f"{clip} {statistics.mean(each):+.1%}" for clip, each in clips.items())
    return f"{recipe}: {statistics.mean(whole):+.1%} (+- {error:.1%}, {len(whole)} points); {parts}"


def main() -> None:
    """Print the table, then the means of each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--reference", required=True)
    options = parser.parse_args()
    points = sorted(read_points(options.tables))
    try:
        check_reference(points, options.reference)
    except ValueError as error:
        parser.error(str(error))
    means: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    print("| clip | recipe | lambda | bytes | PSNR-RGB | D | at equal lambda | at equal PSNR |")
    print("|---|---|---|---|---|---|---|---|")
    for point in points:
        curve = [each for each in points if (each.clip, each.recipe) == (point.clip, options.reference)]
        beside = [each for each in curve if each.lmbda == point.lmbda]
        costs = {}
        if point.recipe != options.reference:
            costs = {"at equal lambda": cost_at_equal_lambda(point, beside[0])} if beside else {}
            if len(curve) != 1:
                costs["at equal PSNR"] = cost_at_equal_psnr(point, curve)
        for name, cost in costs.items():
            means[name][point.recipe][point.clip].append(cost)
        inside = min(each.psnr for each in curve) <= point.psnr <= max(each.psnr for each in curve)
        star = "" if inside or "at equal PSNR" not in costs else "*"
        cells = [f"{costs[name]:+.1%}" if name in costs else "" for name in ("at equal lambda", "at equal PSNR")]
        figures = [f"{point.lmbda:g}", f"{point.size:,}", f"{point.psnr:.2f}", f"{point.distortion:.4f}"]
        print("| " + " | ".join([point.clip, point.recipe, *figures, cells[0], cells[1] + star]) + " |")
    for name, recipes in means.items():
        print(f"\n{name}:")
        for recipe, clips in recipes.items():
            print(summary(recipe, clips))


if __name__ == "__main__":
    main()
