"""What the bytes of our files are spent on: a bar for each file, cut into its sections."""

from collections import Counter
from collections.abc import Sequence

from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.markup import Markup, join, table, tag
from nvrc_lightning.evaluation.report.measures import count

__all__ = ["budget_section"]

# Background and text of a section's part of the bar; blues for the largest, then sand, then greys.
_TONES = (
    ("#2f6ba3", "#ffffff"),
    ("#7fb2d9", "#0d1a26"),
    ("#c9b458", "#1d1a08"),
    ("#a8642a", "#ffffff"),
    ("#5f9e8f", "#0b1613"),
    ("#8c7aa9", "#ffffff"),
    ("#9aa3ad", "#14181d"),
)
_LABELLED = 0.08  # least share of a bar in which its percentage can be read
_OTHER = "others"


def budget_section(videos: Sequence[str], curves: Sequence[Curve]) -> Markup:
    """Bars and tables of all our files; empty where there are none."""
    own = [curve for curve in curves if curve.own]
    names = _section_names([point for curve in own for point in curve.all_points()])
    parts = [_video(video, own, names) for video in videos if any(video in curve.points for curve in own)]
    return join([_switch(), _keys(names), *parts]) if parts else Markup()


def _section_names(points: Sequence[Point]) -> list[str]:
    """Sections from the largest to the smallest over all files; those without a tone of their own are one."""
    totals: Counter[str] = Counter()
    for point in points:
        totals.update(point.result.rate.sections)
    names = [name for name, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
    return names if len(names) <= len(_TONES) else [*names[: len(_TONES) - 1], _OTHER]


def _sizes(point: Point, names: Sequence[str]) -> dict[str, int]:
    """Bytes of a file by the sections shown; they add up to the whole file."""
    sections = point.result.rate.sections
    sizes = {name: sections.get(name, 0) for name in names}
    if _OTHER in sizes and _OTHER not in sections:
        sizes[_OTHER] = sum(size for name, size in sections.items() if name not in names)
    return sizes


def _switch() -> Markup:
    """Radio buttons: bars of equal length, or as long as the files."""
    buttons = [
        tag(
            "label", tag("input", type="radio", name="length", value=value, checked=value == "share"), tag("span", word)
        )
        for value, word in (("share", "Share of the file"), ("bytes", "Bytes"))
    ]
    return tag("fieldset", tag("legend", "Length of a bar"), *buttons, class_="switch screen")


def _keys(names: Sequence[str]) -> Markup:
    """Which tone is which section."""
    return tag("ul", *(tag("li", name, style=_tone(number)) for number, name in enumerate(names)), class_="keys")


def _tone(number: int) -> str:
    back, front = _TONES[number]
    return f"--tone: {back}; --on-tone: {front}"


def _video(video: str, own: Sequence[Curve], names: Sequence[str]) -> Markup:
    """All files of a video."""
    files = [(curve, point) for curve in own for point in curve.points.get(video, ())]
    largest = max(point.result.rate.file_bytes for _, point in files)
    bars = [_bar(curve, point, names, largest) for curve, point in files]
    rows = [
        (
            _name(curve, point),
            *(count(size) for size in _sizes(point, names).values()),
            count(point.result.rate.file_bytes),
        )
        for curve, point in files
    ]
    numbers = table(f"Bytes of each section, {video}", ("File", *names, "File, bytes"), {"": rows})
    details = tag("details", tag("summary", "Bytes as a table", class_="screen"), numbers)
    return join([tag("h3", video), tag("div", *bars, class_="budget"), details])


def _name(curve: Curve, point: Point) -> str:
    return f"{curve.label}, {point.setting}"


def _bar(curve: Curve, point: Point, names: Sequence[str], largest: int) -> Markup:
    """Name, bar and size of a file."""
    size = point.result.rate.file_bytes
    pieces = [
        tag(
            "span",
            f"{100 * part / size:.0f} %" if part >= _LABELLED * size else "",
            style=f"flex: {part} 0 0; {_tone(number)}",
            title=f"{name}: {count(part)} bytes, {100 * part / size:.1f} %",
        )
        for number, (name, part) in enumerate(_sizes(point, names).items())
        if part
    ]
    length = f"{100 * size / largest:.2f}"
    spoken = ", ".join(f"{name} {100 * part / size:.1f} %" for name, part in _sizes(point, names).items() if part)
    bar = tag("div", *pieces, class_="bar", data_length=length, role="img", aria_label=spoken)
    name = tag("div", _name(curve, point), class_="name")
    return tag("div", name, bar, tag("div", f"{count(size)} bytes", class_="bytes"), class_="file")
