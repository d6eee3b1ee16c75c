"""How long coding and decoding took, and what they held."""

from collections.abc import Sequence

from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.looks import glyph
from nvrc_lightning.evaluation.report.markup import Markup, join, table
from nvrc_lightning.evaluation.report.measures import count, span
from nvrc_lightning.evaluation.table import duration

__all__ = ["times_section"]

_HEAD = (
    "Codec",
    "Points",
    "Encoding",
    "Decoding",
    "Decoding, frame/s",
    "Peak memory, MiB",
    "Parameters",
    "kMAC/pixel",
)


def times_section(videos: Sequence[str], curves: Sequence[Curve]) -> Markup:
    """A table with a part for each video."""
    groups = {video: [_row(video, curve) for curve in curves if video in curve.points] for video in videos}
    return table("From the least to the greatest of the points of a curve", _HEAD, groups)


def _row(video: str, curve: Curve) -> tuple[str, ...]:
    costs = [point.result.cost for point in curve.points[video]]
    kmacs = [cost.macs_per_pixel / 1000 for cost in costs if cost.macs_per_pixel is not None]
    return (
        join([glyph(curve.look), curve.label]),
        count(len(costs)),
        _durations([cost.total_encode_seconds for cost in costs]),
        _durations([cost.decode_seconds for cost in costs]),
        span((cost.decode_fps for cost in costs), ",.0f" if max(cost.decode_fps for cost in costs) >= 10 else ".2g"),
        span((cost.peak_memory_mib for cost in costs), ",.0f"),
        span((cost.parameters for cost in costs), ",.0f"),
        span(kmacs, ",.2f"),
    )


def _durations(seconds: Sequence[float]) -> str:
    """Shortest to longest, in milliseconds, seconds, or minutes and hours, as suits the longest."""
    longest = max(seconds)
    if longest < 1:
        return f"{span((1000 * value for value in seconds), ',.2g' if longest < 0.1 else ',.0f')} ms"
    if longest < 120:
        return f"{span(seconds, '.1f')} s"
    return " – ".join(dict.fromkeys(duration(value) for value in (min(seconds), longest)))
