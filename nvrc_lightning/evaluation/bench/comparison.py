"""All curves of a bench against each other: BD-rate and BD-PSNR for every measure, as rows of a table."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeAlias, get_args

from nvrc_lightning.evaluation.anchors import PublishedPoint
from nvrc_lightning.evaluation.bench.bd_rate import BdDelta, Method, RatePoint, bd_psnr, bd_rate, decibels
from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.bench.tables import write_table

__all__ = ["BD_COLUMNS", "MEASURES", "Comparison", "compare", "write_bd_rates"]

MEASURES: Mapping[str, Callable[[float], float]] = {
    "psnr_rgb": float,
    "psnr_yuv611": float,
    "psnr_y": float,
    "ms_ssim_rgb": decibels,
    "ms_ssim_y": decibels,
    "vmaf": float,
}
"""Scores that curves are compared by, and the scale on which that is done."""

BD_COLUMNS: Mapping[str, str] = {
    "video": "name of the source; 'mean' over all videos both codecs were measured on",
    "measure": "the score; MS-SSIM in dB, -10 log10(1 - MS-SSIM)",
    "anchor": "codec and variant compared with",
    "codec": "codec and variant",
    "method": "interpolation: akima, or pchip (piecewise cubic)",
    "bd_rate_percent": "rate needed more than the anchor's at equal quality; empty where it does not hold",
    "bd_rate_overlap": "share of the shorter curve's range of quality that both cover",
    "bd_rate_doubt": "why it does not hold",
    "bd_quality": "quality more than the anchor's at equal rate: dB, or VMAF; empty where it does not hold",
    "bd_quality_overlap": "share of the shorter curve's range of log-rate that both cover",
    "bd_quality_doubt": "why it does not hold",
}
"""Columns of bd_rate.csv and what they hold."""

_Curves: TypeAlias = dict[tuple[str, str], list[Point | PublishedPoint]]

MEAN = "mean"
"""What stands for a video where deltas are means over videos."""


@dataclass(frozen=True)
class Comparison:
    """One curve against another.

    Args:
        video: name of the source, or `MEAN`.
        measure: name of the score, one of `MEASURES`.
        anchor: codec and variant of the curve compared with.
        codec: codec and variant of the curve.
        method: interpolation.
        rate: BD-rate in percent.
        quality: BD-PSNR in dB, or the like of another score.
    """

    video: str
    measure: str
    anchor: tuple[str, str]
    codec: tuple[str, str]
    method: Method
    rate: BdDelta
    quality: BdDelta


def compare(
    points: Sequence[Point], published: Mapping[str, Sequence[PublishedPoint]] | None = None
) -> tuple[Comparison, ...]:
    """Compare all curves of each video with each other, and by the means over videos where there are several.

    Args:
        points: of all curves and videos.
        published: points that others published, by video; only anchors, not compared among themselves.
    """
    single: list[Comparison] = []
    for video in dict.fromkeys(point.video for point in points):
        measured = _group((point.codec, point.variant, point) for point in points if point.video == video)
        others = (published or {}).get(video, ())
        anchors = _group((f"{point.codec} (published)", point.variant, point) for point in others)
        single.extend(_compare_on(video, measured, anchors))
    return (*single, *_means(single))


def write_bd_rates(
    points: Sequence[Point], folder: str | Path, published: Mapping[str, Sequence[PublishedPoint]] | None = None
) -> None:
    """Write bd_rate.csv into the folder of a bench.

    Raises:
        InputError: it cannot be written.
    """
    write_table(Path(folder) / "bd_rate.csv", BD_COLUMNS, map(_row, compare(points, published)))


def _group(items: Iterable[tuple[str, str, Point | PublishedPoint]]) -> _Curves:
    """Points by codec and variant."""
    curves: _Curves = {}
    for codec, variant, point in items:
        curves.setdefault((codec, variant), []).append(point)
    return curves


def _compare_on(video: str, measured: _Curves, anchors: _Curves) -> Iterator[Comparison]:
    """All pairs of curves of one video, by all measures that both have."""
    for measure in MEASURES:
        tests = _scored(measured, measure)
        against = tests | _scored(anchors, measure)
        for (anchor, theirs), (codec, ours) in product(against.items(), tests.items()):
            if anchor == codec:
                continue
            for method in get_args(Method):
                rate, quality = bd_rate(theirs, ours, method), bd_psnr(theirs, ours, method)
                yield Comparison(video, measure, anchor, codec, method, rate, quality)


def _scored(curves: _Curves, measure: str) -> dict[tuple[str, str], list[RatePoint]]:
    """Rates and scores of the points that have this score, curve by curve; curves without any are left out."""
    scored = {name: [_rate_point(point, measure) for point in points] for name, points in curves.items()}
    finite = {name: [point for point in points if math.isfinite(point.quality)] for name, points in scored.items()}
    return {name: points for name, points in finite.items() if points}


def _rate_point(point: Point | PublishedPoint, measure: str) -> RatePoint:
    if isinstance(point, PublishedPoint):
        rate, score = point.bpp, getattr(point, measure, math.nan)
    else:
        rate, score = point.result.rate.bpp, getattr(point.result.scores, measure)
    return RatePoint(rate, MEASURES[measure](score) if math.isfinite(score) else math.nan)


def _means(comparisons: Sequence[Comparison]) -> Iterator[Comparison]:
    """Means over the videos, of pairs that were compared on several."""
    groups: dict[tuple[str, tuple[str, str], tuple[str, str], Method], list[Comparison]] = {}
    for item in comparisons:
        groups.setdefault((item.measure, item.anchor, item.codec, item.method), []).append(item)
    for key, group in groups.items():
        if len(group) > 1:
            yield Comparison(
                MEAN, *key, *(_mean([getattr(item, part) for item in group]) for part in ("rate", "quality"))
            )


def _mean(deltas: Sequence[BdDelta]) -> BdDelta:
    """Mean of the deltas; it holds only if all of them do."""
    value = sum(delta.value for delta in deltas) / len(deltas)
    failed = sum(not delta.holds for delta in deltas)
    doubt = f"it does not hold on {failed} of {len(deltas)} videos" if failed else ""
    return BdDelta(value, min(delta.overlap for delta in deltas), doubt)


def _row(item: Comparison) -> dict[str, str]:
    return {
        "video": item.video,
        "measure": item.measure,
        "anchor": ", ".join(item.anchor),
        "codec": ", ".join(item.codec),
        "method": item.method,
        "bd_rate_percent": f"{item.rate.value:.3f}" if item.rate.holds else "",
        "bd_rate_overlap": f"{item.rate.overlap:.3f}",
        "bd_rate_doubt": item.rate.doubt,
        "bd_quality": f"{item.quality.value:.4f}" if item.quality.holds else "",
        "bd_quality_overlap": f"{item.quality.overlap:.3f}",
        "bd_quality_doubt": item.quality.doubt,
    }
