"""Plot of the entropy coding benchmark: bits a symbol against decoding speed, a panel for each group."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from entropy_report import Row
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

# Of the package's own models, and of others'.
_COLOURS = {True: "#1f5fa8", False: "#b3541e"}
_RIVALS = ("CompressAI", "torchac")
_PLACES = [(x, y) for y in (0, 9, -9, 18, -18, 27, -27) for x in (8, -8, 0)][:-1]


def write_plot(rows: Sequence[Row], path: Path) -> None:
    """Write an SVG picture."""
    # Text as text, and nothing in the file that changes from run to run.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "nvrc", "font.size": 10})
    groups = list(dict.fromkeys(row.group for row in rows))
    figure, panels = plt.subplots(1, len(groups), figsize=(5.2 * len(groups), 4.2), squeeze=False)
    for axes, group in zip(panels[0], groups, strict=True):
        _panel(axes, group, [row for row in rows if row.group == group])
    figure.tight_layout()
    for axes in panels[0]:
        _label(axes, [row for row in rows if row.group == axes.get_gid()])
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _panel(axes: Axes, group: str, rows: Sequence[Row]) -> None:
    """Points and axes; room is left around the points for their labels."""
    speeds, bits = [row.decode_speed for row in rows], [row.bits for row in rows]
    axes.set_gid(group)
    axes.scatter(speeds, bits, s=36, c=[_COLOURS[row.label not in _RIVALS] for row in rows], zorder=3)
    axes.set(xscale="log", xlim=(min(speeds) / 3, max(speeds) * 3))
    margin = 0.15 * (max(bits) - min(bits)) or 0.1
    axes.set_ylim(min(bits) - margin, max(bits) + margin)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(title=f"{group.capitalize()}, {rows[0].symbols:,} symbols", xlabel="decoding, Msymbol/s")
    axes.set_ylabel("bit/symbol, side bytes included")
    axes.grid(visible=True, which="major", color="#dddddd")


def _label(axes: Axes, rows: Sequence[Row]) -> None:
    """Write each point's name at the first place near it that is free."""
    figure = axes.get_figure()
    assert figure is not None
    to_pixels = axes.transData.transform
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in (to_pixels((r.decode_speed, r.bits)) for r in rows)]
    frame = axes.get_window_extent()
    for row in rows:
        for dx, dy in _PLACES:
            text = axes.annotate(
                row.label,
                (row.decode_speed, row.bits),
                (dx, dy),
                textcoords="offset points",
                va="center",
                ha={8: "left", -8: "right", 0: "center"}[dx],
                color=_COLOURS[row.label not in _RIVALS],
            )
            box = text.get_window_extent()
            inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            if inside and not box.count_overlaps(taken):
                break
            text.remove()
        taken.append(box)
