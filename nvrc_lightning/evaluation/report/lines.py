"""What the rate-distortion plots draw: curves of the bench and published ones, in the same terms."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from nvrc_lightning.evaluation.anchors import PublishedPoint
from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.looks import Look, anchor_look
from nvrc_lightning.evaluation.report.measures import MEASURES, Measure

__all__ = ["Dot", "Line", "lines_of", "measures_of"]


@dataclass(frozen=True)
class Dot:
    """One point of a plot.

    Args:
        setting: where on the curve; empty where it is not known.
        bpp: bits per pixel.
        size: of the file in bytes; None where only the rate was published.
        scores: by measure; NaN where there is none.
        source: where it was published; empty for one of the bench.
    """

    setting: str
    bpp: float
    size: int | None
    scores: Mapping[str, float]
    source: str = ""


@dataclass(frozen=True)
class Line:
    """One curve of the plots.

    Args:
        name: codec and variant, as they are called in BD-rates.
        label: what readers call it.
        own: whether its files are `.nvrc`.
        look: how it is drawn.
        dots: its points by video, from low to high rate.
    """

    name: tuple[str, str]
    label: str
    own: bool
    look: Look
    dots: Mapping[str, tuple[Dot, ...]]


def lines_of(curves: Sequence[Curve], published: Mapping[str, Sequence[PublishedPoint]]) -> tuple[Line, ...]:
    """The curves of the bench, then what others published of its videos."""
    names = sorted({(point.codec, point.variant) for points in published.values() for point in points})
    anchors = [
        Line(
            name=(f"{name[0]} (published)", name[1]),
            label=f"{', '.join(filter(None, name))} (published)",
            own=False,
            look=anchor_look(number),
            dots=_published(published, name),
        )
        for number, name in enumerate(names)
    ]
    return (*map(_measured, curves), *anchors)


def measures_of(lines: Iterable[Line], videos: Iterable[str]) -> tuple[Measure, ...]:
    """The measures that any point on these videos has; nobody is to choose one that shows nothing."""
    scores = [dot.scores for line, video in product(lines, videos) for dot in line.dots.get(video, ())]
    return tuple(measure for measure in MEASURES if any(math.isfinite(own[measure.name]) for own in scores))


def _measured(curve: Curve) -> Line:
    """A curve of the bench."""
    dots = {
        video: tuple(
            Dot(
                point.setting,
                point.result.rate.bpp,
                point.result.rate.file_bytes,
                {measure.name: measure.of(point.result.scores) for measure in MEASURES},
            )
            for point in points
        )
        for video, points in curve.points.items()
    }
    return Line(curve.name, curve.label, curve.own, curve.look, dots)


def _published(published: Mapping[str, Sequence[PublishedPoint]], name: tuple[str, str]) -> dict[str, tuple[Dot, ...]]:
    """The points of one published codec on each video that has any."""
    chosen = {
        video: tuple(
            Dot(point.setting, point.bpp, None, _scores(point), point.source)
            for point in points
            if (point.codec, point.variant) == name
        )
        for video, points in published.items()
    }
    return {video: dots for video, dots in chosen.items() if dots}


def _scores(point: PublishedPoint) -> dict[str, float]:
    """What was published of a point; of some measures nothing ever is."""
    return {measure.name: float(getattr(point, measure.name, math.nan)) for measure in MEASURES}
