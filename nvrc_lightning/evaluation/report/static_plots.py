"""The rate-distortion plots as pictures: SVG and PNG files for papers, and what the page shows on paper."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nvrc_components.atomic import atomic_path
from nvrc_lightning.evaluation.report.lines import Line, measures_of
from nvrc_lightning.evaluation.report.measures import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "write_pictures"]

_WIDTH = 7.1  # inches: an A4 page between its margins
_HEIGHT = 2.6  # inches of a row of panels
_ENTRY = 0.2  # inches of a row of the legend
_ACROSS = 3  # panels in a row
_LETTER = 0.065  # inches of a letter in the legend, on the wide side
_STYLE = {
    "svg.hashsalt": "nvrc",  # nothing in the file changes from run to run
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#57606a",
    "axes.labelcolor": "#57606a",
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e1e5ea",
    "grid.linewidth": 0.6,
}
_POINT = 0.5  # points that a pixel of a dash becomes, for the thinner lines on paper
_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))


def draw(video: str, lines: Sequence[Line]) -> "Figure":
    """One video: a panel for each measure it has, at most three in a row, and the legend below them."""
    # Imported where it is used: it takes a second, and only reports need it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [line for line in lines if video in line.dots]
    measures = measures_of(shown, [video])
    rows = math.ceil(len(measures) / _ACROSS)
    columns = math.ceil(len(measures) / rows)
    abreast = _abreast([line.label for line in shown])
    height = _HEIGHT * rows + _ENTRY * math.ceil(len(shown) / abreast)
    with mpl.rc_context({**_STYLE}):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, measure in zip(panels, measures, strict=False):
            _panel(axes, video, shown, measure)
        for axes in panels[len(measures) :]:
            axes.axis("off")
        figure.suptitle(_literal(video), fontsize=9, x=0.01, ha="left")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", frameon=False, ncols=abreast)
    return figure


def _abreast(labels: Sequence[str]) -> int:
    """Entries that fit in a row of the legend, each with its marker."""
    return max(1, int(_WIDTH / (_LETTER * max(map(len, labels)) + 0.6)))


def _literal(text: str) -> str:
    """Text that Matplotlib takes as it is."""
    return text.replace("$", r"\$")


def _panel(axes: "Axes", video: str, lines: Sequence[Line], measure: Measure) -> None:
    """One measure against the rate."""
    rates = []
    for line in lines:
        scores = [(dot.bpp, dot.scores[measure.name]) for dot in line.dots[video]]
        known = [pair for pair in scores if math.isfinite(pair[1])]
        rates += [rate for rate, _ in known]
        _draw_line(axes, line, known)
    axes.set_title(measure.label, loc="left", fontsize=9)
    axes.set(xlabel="rate, bit/pixel (log scale)", ylabel=measure.title)
    low, high = math.log10(min(rates)), math.log10(max(rates))
    room = max(0.06 * (high - low), 0.05)
    axes.set(xscale="log", xlim=(10 ** (low - room), 10 ** (high + room)))
    ticks = _log_ticks(low - room, high + room)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _draw_line(axes: "Axes", line: Line, points: Sequence[tuple[float, float]]) -> None:
    look, paper = line.look, "#ffffff"
    axes.plot(
        [rate for rate, _ in points],
        [score for _, score in points],
        color=look.light,
        linewidth=1.8 if line.own else 1.1,
        linestyle=(0, [_POINT * length for length in look.dash]) if look.anchor else "-",
        marker=look.marker,
        markersize=5.5,
        markerfacecolor=paper if look.anchor else look.light,
        markeredgecolor=look.light if look.anchor else paper,
        markeredgewidth=0.8,
        label=_literal(line.label),
    )


def _log_ticks(low: float, high: float) -> list[float]:
    """As few and as round as the range allows; evenly spaced where it holds no three round ones."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for steps in _STEPS:
        ticks = [float(f"{step * 10.0**power:.3g}") for power in powers for step in steps]
        inside = [tick for tick in ticks if low <= math.log10(tick) <= high]
        if len(inside) >= 3:
            return inside
    rough = (10**high - 10**low) / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(10**low / step)
    return [float(f"{step * at:.6g}") for at in range(first, first + 4) if step * at <= 10**high]


def write_pictures(figure: "Figure", path: Path) -> bytes:
    """Write the figure as SVG and as PNG of 200 dpi; the path's suffix is added.

    Returns:
        The SVG, with its letters as outlines, so that it looks the same everywhere.
    """
    svg = _save(figure, format="svg", metadata={"Date": None})
    png = _save(figure, format="png", dpi=200, metadata={"Software": None})
    for suffix, content in ((".svg", svg), (".png", png)):
        with atomic_path(path.with_name(path.name + suffix), force=True) as temporary:
            temporary.write_bytes(content)
    return svg


def _save(figure: "Figure", **options: Any) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({**_STYLE}):
        figure.savefig(buffer, **options)
    return buffer.getvalue()
