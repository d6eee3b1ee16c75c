"""The points of a bench as a report shows them: curves with a name and a look, video by video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.looks import Look, look_of

__all__ = ["Curve", "curves_of", "is_own", "videos_of"]

_OWN = ".nvrc"


@dataclass(frozen=True)
class Curve:
    """One codec in one variant, on all videos.

    Args:
        codec: its name.
        variant: what sets it apart from other curves of the codec.
        label: the name readers see: the codec's, with the variant where there are several.
        own: whether its files are `.nvrc`.
        look: colour and marker.
        points: by video, from low to high rate.
    """

    codec: str
    variant: str
    label: str
    own: bool
    look: Look
    points: Mapping[str, tuple[Point, ...]]

    @property
    def name(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.codec, self.variant

    def all_points(self) -> tuple[Point, ...]:
        """The points of all videos."""
        return tuple(point for points in self.points.values() for point in points)


def is_own(point: Point) -> bool:
    """Whether the point's file is one of ours."""
    return point.stream.endswith(_OWN)


def videos_of(points: Sequence[Point]) -> tuple[str, ...]:
    """Names of the videos, each once, in the points' order."""
    return tuple(dict.fromkeys(point.video for point in points))


def curves_of(points: Sequence[Point]) -> tuple[Curve, ...]:
    """All curves: our own first, then the others, each by name."""
    keys = sorted({(not is_own(point), point.codec, point.variant) for point in points})
    codecs = [(foreign, codec) for foreign, codec, _ in keys]
    return tuple(
        Curve(
            codec=codec,
            variant=variant,
            label=codec if codecs.count((foreign, codec)) == 1 else f"{codec}, {variant}",
            own=not foreign,
            look=look_of(number),
            points=_by_video(points, (foreign, codec, variant)),
        )
        for number, (foreign, codec, variant) in enumerate(keys)
    )


def _by_video(points: Sequence[Point], key: tuple[bool, str, str]) -> dict[str, tuple[Point, ...]]:
    """The curve's points on each video that has any."""
    mine = [point for point in points if (not is_own(point), point.codec, point.variant) == key]
    return {video: tuple(point for point in mine if point.video == video) for video in videos_of(mine)}
