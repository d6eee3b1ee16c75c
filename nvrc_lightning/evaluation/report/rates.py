"""Rate and distortion: a plot a video, the legend, and every point as a figure in a table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.lines import Dot, Line, measures_of
from nvrc_lightning.evaluation.report.looks import glyph
from nvrc_lightning.evaluation.report.markup import Markup, join, table, tag
from nvrc_lightning.evaluation.report.measures import MEASURES, Measure, bpp, count

__all__ = ["plot_data", "rates_section"]

_HEAD = ("Codec", "Setting", "File, bytes", "Rate, bit/pixel")
_HANDLING = (
    "The buttons show and hide a codec; a point tells its figures when touched or hovered over; drag to zoom, "
    "double-click to see all again."
)


def plot_data(videos: Sequence[str], lines: Sequence[Line]) -> dict[str, Any]:
    """Everything the plots draw, as plain data; a score that is not defined is null."""
    return {
        "measures": [asdict(measure) for measure in measures_of(lines, videos)],
        "curves": [
            {
                "label": line.label,
                "own": line.own,
                "anchor": line.look.anchor,
                "colour": line.look.variable,
                "symbol": line.look.symbol,
                "dash": ",".join(f"{length}px" for length in line.look.dash) or "solid",
                "points": [[_plain(dot) for dot in line.dots.get(video, ())] for video in videos],
            }
            for line in lines
        ],
    }


def _plain(dot: Dot) -> dict[str, Any]:
    scores = {name: value if math.isfinite(value) else None for name, value in dot.scores.items()}
    return {"setting": dot.setting, "bytes": dot.size, "bpp": dot.bpp, **scores}


def rates_section(
    videos: Sequence[str], curves: Sequence[Curve], lines: Sequence[Line], static: Mapping[str, str]
) -> Markup:
    """The legend, and for each video its plot and its table.

    Args:
        videos: names, in order.
        curves: those of the bench.
        lines: those and the published ones.
        static: for each video the same plot as a picture, a data URI; shown on paper and without JavaScript.
    """
    measures = measures_of(lines, videos)
    legend = tag("div", *(_switch(number, line) for number, line in enumerate(lines)), class_="legend")
    plots = [
        _plot(number, video, static[video], [_points(video, lines, measures), _reasons(video, curves)])
        for number, video in enumerate(videos)
    ]
    handling = tag("p", _HANDLING, class_="note screen")
    return join([_measure_switch(measures), legend, tag("div", *plots, class_="plots"), handling])


def _measure_switch(measures: Sequence[Measure]) -> Markup:
    """Radio buttons that choose the measure of all plots and matrices; none where there is nothing to choose."""
    if len(measures) < 2:
        return Markup()
    buttons = [
        tag(
            "label",
            tag("input", type="radio", name="measure", value=measure.name, checked=measure is MEASURES[0]),
            tag("span", measure.label),
        )
        for measure in measures
    ]
    return tag("fieldset", tag("legend", "Quality measured as"), *buttons, class_="switch screen")


def _switch(number: int, line: Line) -> Markup:
    """A button that shows or hides a curve everywhere."""
    return tag("button", glyph(line.look), line.label, type="button", aria_pressed="true", data_curve=number)


def _plot(number: int, video: str, static: str, figures: Iterable[Markup]) -> Markup:
    label = f"Rate and distortion of {video}; the table below holds the same figures"
    return tag(
        "figure",
        tag("figcaption", tag("h3", video)),
        tag("p", class_="undefined", hidden=True),
        tag("div", class_="plot", data_video=number, role="img", aria_label=label),
        tag("img", class_="static", src=static, alt=label),
        tag("details", tag("summary", "All points as a table", class_="screen"), *figures),
    )


def _points(video: str, lines: Sequence[Line], measures: Sequence[Measure]) -> Markup:
    """Every point of a video, and the sources of those that were published."""
    shown = [(line, dot) for line in lines for dot in line.dots.get(video, ())]
    rows = [
        (
            join([glyph(line.look), line.label]),
            dot.setting,
            "–" if dot.size is None else count(dot.size),
            bpp(dot.bpp),
            *(measure.text(dot.scores[measure.name]) for measure in measures),
        )
        for line, dot in shown
    ]
    sources = sorted({f"{line.label}: {dot.source}" for line, dot in shown if dot.source})
    head = (*_HEAD, *(measure.title for measure in measures))
    return join([table(f"Points of {video}", head, {"": rows}, words=2), _note(sources)])


def _reasons(video: str, curves: Sequence[Curve]) -> Markup:
    """Why scores are not defined."""
    reasons = {
        (why, measure)
        for curve in curves
        for point in curve.points.get(video, ())
        for measure in MEASURES
        if (why := point.result.scores.undefined.get(measure.name))
    }
    labels = {why: [m.label for m in MEASURES if (why, m) in reasons] for why, _ in reasons}
    return _note(
        sorted(f"{' and '.join(own)} {'are' if own[1:] else 'is'} not defined: {why}" for why, own in labels.items())
    )


def _note(sentences: Sequence[str]) -> Markup:
    return tag("p", f"{'; '.join(sentences)}.", class_="note") if sentences else Markup()
