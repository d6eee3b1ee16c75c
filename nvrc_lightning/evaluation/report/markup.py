"""HTML from Python: elements whose text and attributes are escaped unless they are HTML already."""

import html
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Markup", "captioned", "escape", "join", "table", "tag"]

_VOID = ("br", "img", "input", "meta")
_PHONE = 3  # columns that fit a telephone's screen; the style sheet tells readers of wider tables to scroll

Attribute = str | int | float | bool


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """The text as HTML; HTML stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def join(parts: Iterable[str], between: str = "") -> Markup:
    """All parts, one after the other."""
    return Markup(escape(between).join(map(escape, parts)))


def tag(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """An element: `class_` stands for class, `data_video` for data-video; True is a bare attribute, False none."""
    words = [name]
    for key, value in attributes.items():
        if value is not False:
            own = key.rstrip("_").replace("_", "-")
            words.append(own if value is True else f'{own}="{html.escape(str(value))}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in _VOID else f"{opening}{join(children)}</{name}>")


def captioned(caption: str, table: str, columns: int) -> Markup:
    """A table of so many columns below its caption; one wider than the page scrolls by itself, by keyboard too."""
    region = tag("div", table, class_="scroll", role="region", aria_label=caption, tabindex=0)
    kind = "captioned wide" if columns > _PHONE else "captioned"
    return tag("div", tag("p", caption, class_="caption"), region, class_=kind)


def table(caption: str, head: Sequence[str], groups: Mapping[str, Iterable[Iterable[str]]], words: int = 1) -> Markup:
    """A table whose first columns are words and whose others are figures.

    Args:
        caption: what it shows.
        head: names of the columns.
        groups: rows by the heading they stand under; an empty heading is left out.
        words: how many columns are words.
    """
    kinds = ["word" if index < words else "figure" for index in range(len(head))]
    header = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(head, kinds, strict=True)))
    bodies = []
    for heading, rows in groups.items():
        title = tag("tr", tag("th", tag("span", heading), scope="rowgroup", colspan=len(head))) if heading else ""
        bodies.append(tag("tbody", title, *(_row(row, kinds) for row in rows)))
    return captioned(caption, tag("table", tag("thead", header), *bodies), len(head))


def _row(cells: Iterable[str], kinds: Sequence[str]) -> Markup:
    first, *others = cells
    head = tag("th", first, scope="row", class_=kinds[0])
    return tag("tr", head, *(tag("td", cell, class_=kind) for cell, kind in zip(others, kinds[1:], strict=True)))
