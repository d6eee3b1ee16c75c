"""One HTML file out of sections, style sheet, scripts, figures and Plotly; nothing in it is loaded from elsewhere."""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.report.looks import palette_css
from nvrc_lightning.evaluation.report.markup import Markup, escape, join, tag

__all__ = ["Section", "page"]

_STYLES = ("report.css", "print.css")
_SCRIPTS = ("plots.js", "comparator.js")


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Args:
        name: its id in the page.
        title: its heading.
        reading: what to read from the figure; one sentence.
        body: the figure.
    """

    name: str
    title: str
    reading: str
    body: Markup


def page(title: str, lead: str, footer: str, sections: Sequence[Section], data: dict[str, Any]) -> str:
    """The whole page.

    Args:
        title: its heading.
        lead: what stands below it.
        footer: what stands at the end.
        sections: in order; those without a body are left out.
        data: what the scripts draw, plain data.

    Raises:
        InputError: Plotly is not installed.
    """
    filled = [section for section in sections if section.body]
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        heading=escape(title),
        lead=escape(lead),
        footer=escape(footer),
        contents=join(tag("a", section.title, href=f"#{section.name}") for section in filled),
        sections=join(map(_section, filled), "\n"),
        palette=palette_css(),
        style="\n".join(map(_asset, _STYLES)),
        scripts="\n".join(map(_asset, _SCRIPTS)),
        data=_json(data),
        plotly=_plotly(),
    )


def _section(section: Section) -> Markup:
    heading = tag("h2", section.title, id=f"{section.name}-title")
    reading = tag("p", section.reading, class_="read")
    return tag("section", heading, reading, section.body, id=section.name, aria_labelledby=f"{section.name}-title")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _json(data: dict[str, Any]) -> str:
    """Plain data as JSON that cannot end the script element it stands in."""
    return json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


@cache
def _plotly() -> str:
    """Plotly's script, gzip and base64: 2 MB in the page instead of 4.8; browsers since 2023 unpack it."""
    try:
        script = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    except ModuleNotFoundError as error:
        raise InputError("the report needs Plotly; 'pip install nvrc-lightning[bench]' brings it") from error
    return base64.b64encode(gzip.compress(script, 9, mtime=0)).decode("ascii")
