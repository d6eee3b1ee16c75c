"""The frames that a report carries for comparison: which, of which points, and within how many bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.matching import Level, levels_of
from nvrc_lightning.evaluation.report.pictures import Picture, webp_uri

__all__ = ["Album", "Reader", "Stream", "album_of"]

_PLANS = ((4, 2), (3, 2), (4, 1), (3, 1), (2, 1), (1, 1))  # frames and levels, what is best first
_WINDOW = (640, 360)  # of larger frames the middle is shown, pixel by pixel


class Reader(Protocol):
    """What gives the frames of a bench."""

    def source(self, video: str, indices: Sequence[int]) -> Sequence[Picture]:
        """Frames of the source; none where it is not at hand."""

    def decoded(self, point: Point, indices: Sequence[int]) -> Sequence[Picture]:
        """Frames decoded from a point's file."""


@dataclass(frozen=True)
class Stream:
    """The source, which has no point, or one coded file, with its pictures as data URIs."""

    curve: int
    point: Point | None
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Album:
    """The pictures of one video.

    Args:
        video: its name.
        size: width and height of the pictures, in pixels.
        whole: width and height of the video.
        frames: numbers of the frames shown.
        total: how many frames the video has.
        streams: the source first, if it is at hand, then every file of a level once.
        levels: rates, and the files compared at them.
    """

    video: str
    size: tuple[int, int]
    whole: tuple[int, int]
    frames: tuple[int, ...]
    total: int
    streams: tuple[Stream, ...]
    levels: tuple[Level, ...]


def album_of(video: str, curves: Sequence[Curve], reader: Reader, budget: int) -> Album:
    """As many frames and levels of a video as fit in so many bytes of data URIs; one of each at least."""
    levels = levels_of(video, curves)
    total = levels[0].points[0][1].result.scores.frames
    middle = [total // 2]
    samples = {point.stream: reader.decoded(point, middle)[0] for _, point in _distinct(levels)}
    sizes = {stream: len(webp_uri(_cut(picture))) for stream, picture in samples.items()}
    source = sum(len(webp_uri(_cut(picture))) for picture in reader.source(video, middle))

    def size(frames: int, count: int) -> int:
        return frames * (source + sum(sizes[point.stream] for _, point in _distinct(levels[:count])))

    plans = [(frames, count) for frames, count in _PLANS if frames <= total and count <= len(levels)]
    frames, count = next((plan for plan in plans if size(*plan) <= budget), plans[-1])
    chosen = tuple(sorted(levels[:count], key=lambda level: level.bpp))
    indices = tuple((2 * at + 1) * total // (2 * frames) for at in range(frames))
    height, width = next(iter(samples.values())).shape[:2]
    return Album(
        video=video,
        size=(min(width, _WINDOW[0]), min(height, _WINDOW[1])),
        whole=(width, height),
        frames=indices,
        total=total,
        streams=tuple(_streams(video, chosen, indices, reader)),
        levels=chosen,
    )


def _distinct(levels: Sequence[Level]) -> list[tuple[int, Point]]:
    """Every point of the levels once, with the number of its curve."""
    return list({point.stream: (curve, point) for level in levels for curve, point in level.points}.values())


def _streams(video: str, levels: Sequence[Level], indices: Sequence[int], reader: Reader) -> Iterator[Stream]:
    if source := reader.source(video, indices):
        yield Stream(-1, None, _uris(source))
    for curve, point in sorted(_distinct(levels), key=lambda item: (item[0], item[1].result.rate.bpp)):
        yield Stream(curve, point, _uris(reader.decoded(point, indices)))


def _uris(pictures: Sequence[Picture]) -> tuple[str, ...]:
    return tuple(webp_uri(_cut(picture)) for picture in pictures)


def _cut(picture: Picture) -> Picture:
    """The middle of a picture larger than the window."""
    height, width = picture.shape[:2]
    columns, rows = min(width, _WINDOW[0]), min(height, _WINDOW[1])
    top, left = (height - rows) // 2, (width - columns) // 2
    return picture[top : top + rows, left : left + columns]
