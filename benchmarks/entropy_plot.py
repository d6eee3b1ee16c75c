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
# Of a label, in points from its point; where it is not beside it, a line leads there.
_PLACES = [((8, 0), "left"), ((-8, 0), "right")]
_PLACES += [
    ((x, y), side) for y in (16, -16, 28, -28, 40, -40) for x, side in ((0, "center"), (9, "left"), (-9, "right"))
]


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
    axes.set(xscale="log", xlim=(min(speeds) / 4, max(speeds) * 4))
    margin = 0.2 * (max(bits) - min(bits)) or 0.1
    axes.set_ylim(min(bits) - margin, max(bits) + margin)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(title=f"{group.capitalize()}, {rows[0].symbols:,} symbols", xlabel="decoding, Msymbol/s")
    axes.set_ylabel("bit/symbol, side bytes included")
    axes.grid(visible=True, which="major", color="#dddddd")


def _label(axes: Axes, rows: Sequence[Row]) -> None:
    """Write each point's name at the first place near it that is free."""
    pixels = axes.transData.transform([(row.decode_speed, row.bits) for row in rows])
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in pixels]
    frame = axes.get_window_extent()
    for row, (x, y) in zip(rows, pixels, strict=True):
        # A line leads away from the nearest point, so that it cannot seem to lead there.
        near = min(((u - x) ** 2 + (v - y) ** 2, v) for u, v in pixels if (u, v) != (x, y))[1]
        point, colour = (row.decode_speed, row.bits), _COLOURS[row.label not in _RIVALS]
        for place, side in _PLACES:
            dx, dy = place[0], place[1] if y >= near else -place[1]
            text = axes.annotate(
                row.label, point, (dx, dy), "data", "offset points", va="center", ha=side, color=colour
            )
            box = text.get_window_extent()
            if frame.x0 < box.x0 and box.x1 < frame.x1 and not box.count_overlaps(taken):
                if dy:
                    line = {"arrowstyle": "-", "color": "#999999", "lw": 0.7, "shrinkA": 5, "shrinkB": 4}
                    axes.annotate("", point, (dx, dy), "data", "offset points", arrowprops=line)
                break
            text.remove()
        else:  # overlapping rather than missing
            axes.annotate(row.label, point, _PLACES[0][0], "data", "offset points", va="center", color=colour)
        taken.append(box)
