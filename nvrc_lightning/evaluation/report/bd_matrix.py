"""BD-rates of every curve against every other: a matrix for each measure, for each video and in the mean."""

from collections.abc import Mapping, Sequence

from nvrc_lightning.evaluation.anchors import PublishedPoint
from nvrc_lightning.evaluation.bench.bd_rate import BdDelta, Method
from nvrc_lightning.evaluation.bench.comparison import MEAN, compare
from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.lines import Line, measures_of
from nvrc_lightning.evaluation.report.looks import glyph
from nvrc_lightning.evaluation.report.markup import Markup, captioned, join, tag
from nvrc_lightning.evaluation.report.measures import MEASURES, Measure

__all__ = ["bd_section"]

METHOD: Method = "akima"

_FULL_TONE = 60.0  # percent at which a cell has its full colour
_APART = "they were not measured on two videos together"

Name = tuple[str, str]  # codec and variant
Deltas = Mapping[tuple[str, str, Name, Name], BdDelta]  # by measure, video, row and column


def bd_section(
    points: Sequence[Point],
    published: Mapping[str, Sequence[PublishedPoint]],
    videos: Sequence[str],
    lines: Sequence[Line],
) -> Markup:
    """The matrices of all measures, of which the page shows one; empty where there is only one curve.

    Args:
        points: all of the bench.
        published: what others published, by video.
        videos: names, in order.
        lines: the curves of the bench, which are rows and columns, and the published ones, which are columns.
    """
    if len(lines) < 2:
        return Markup()
    pairs = compare(points, published)
    deltas = {(pair.measure, pair.video, pair.codec, pair.anchor): pair.rate for pair in pairs if pair.method == METHOD}
    return tag(
        "div", *(_measure(measure, videos, lines, deltas) for measure in measures_of(lines, videos)), class_="matrices"
    )


def _measure(measure: Measure, videos: Sequence[str], lines: Sequence[Line], deltas: Deltas) -> Markup:
    """One measure: the mean first, then each video."""
    single = join(_video(measure, video, lines, deltas) for video in videos)
    if not single:
        body = tag("p", f"There is no video on which {measure.label} could compare two codecs.", class_="note")
    elif len(videos) == 1:
        body = single
    else:
        mean = _matrix(f"{measure.label}, mean of the videos", measure, MEAN, lines, deltas)
        body = join([mean, tag("details", tag("summary", "Each video by itself"), single)])
    return tag("div", body, data_measure=measure.name, hidden=measure is not MEASURES[0])


def _video(measure: Measure, video: str, lines: Sequence[Line], deltas: Deltas) -> Markup:
    """The matrix of the curves that can be compared on a video; empty where there are none."""
    pairs = [(row, column) for kind, where, row, column in deltas if (kind, where) == (measure.name, video)]
    known = {name for pair in pairs for name in pair}
    present = [line for line in lines if line.name in known]
    return _matrix(f"{measure.label}, {video}", measure, video, present, deltas) if present else Markup()


def _matrix(caption: str, measure: Measure, video: str, lines: Sequence[Line], deltas: Deltas) -> Markup:
    """Rows against columns; figures that do not hold are replaced by the letter of a note."""
    notes: dict[str, str] = {}

    def cell(row: Line, column: Line) -> Markup:
        if row is column:
            return tag("td", "–", class_="self")
        delta = deltas.get((measure.name, video, row.name, column.name), BdDelta(0.0, 0.0, _APART))
        return _figure(delta.value) if delta.holds else _doubtful(notes.setdefault(delta.doubt, _letter(len(notes))))

    head = tag("tr", tag("td"), *(tag("th", line.label, scope="col") for line in lines))
    rows = [
        tag("tr", tag("th", glyph(row.look), row.label, scope="row"), *(cell(row, column) for column in lines))
        for row in lines
        if not row.look.anchor
    ]
    body = tag("table", tag("thead", head), tag("tbody", *rows), class_="matrix")
    reasons = "; ".join(f"{letter}: {doubt}" for doubt, letter in notes.items())
    note = tag("p", f"{reasons}.", class_="note") if notes else ""
    caption = f"{caption}: bits of the row against the column, %"
    return tag("div", captioned(caption, body, 1 + len(lines)), note, class_="block")


def _letter(number: int) -> str:
    """a, b, c, and so on: a note's."""
    return chr(ord("a") + number) if number < 26 else str(number)


def _figure(percent: float) -> Markup:
    """A BD-rate, toned by its size."""
    tone = "--less" if percent < 0 else "--more"
    share = min(abs(percent) / _FULL_TONE, 1) * 45
    figure = f"{percent:+.1f}" if abs(percent) < 100 else f"{percent:+,.0f}"
    return tag("td", figure.replace("-", "−"), style=f"--tone: var({tone}); --share: {share:.0f}")


def _doubtful(letter: str) -> Markup:
    return tag("td", tag("span", "none", tag("sup", letter)), class_="weak")
