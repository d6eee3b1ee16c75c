"""How curves are told apart: a colour that colour-blind readers can tell from its neighbours, a marker, a line."""

from dataclasses import dataclass

from nvrc_lightning.evaluation.report.markup import Markup, tag

__all__ = ["Look", "anchor_look", "glyph", "look_of", "palette_css"]

# On white and on the dark page: each at least 3:1 against it, and ordered so that neighbours differ in lightness too.
_LIGHT = ("#0b5fc0", "#c44601", "#007a55", "#9b3f8f", "#8a6a00", "#3d4652", "#007a96", "#b3204d")
_DARK = ("#6fb1ff", "#ff9a5e", "#4fcf9f", "#e293d3", "#d8b64a", "#c3cbd6", "#58c7de", "#ff86a8")
_GREY = ("#6a737d", "#8b949e")

# Strokes and gaps of published curves, in pixels: they lie close together, and grey leaves them no colour of their own.
_DASHES = ((7, 4), (2, 3), (8, 3, 2, 3), (14, 4), (8, 3, 2, 3, 2, 3))

# Plotly's and Matplotlib's names of a marker, and its outline in a box of -10..10.
_MARKERS = (
    ("circle", "o", "M-7,0A7,7 0 1,0 7,0A7,7 0 1,0 -7,0Z"),
    ("square", "s", "M-6,-6H6V6H-6Z"),
    ("diamond", "D", "M0,-8.5L8.5,0L0,8.5L-8.5,0Z"),
    ("triangle-up", "^", "M0,-8L8,6.5H-8Z"),
    ("triangle-down", "v", "M0,8L8,-6.5H-8Z"),
    ("cross", "P", "M-3,-8H3V-3H8V3H3V8H-3V3H-8V-3H-3Z"),
    ("x", "X", "M-5,-8L0,-3L5,-8L8,-5L3,0L8,5L5,8L0,3L-5,8L-8,5L-3,0L-8,-5Z"),
    ("star", "*", "M0,-9L2.2,-3H8.6L3.5,0.9L5.3,7.3L0,3.6L-5.3,7.3L-3.5,0.9L-8.6,-3H-2.2Z"),
    ("pentagon", "p", "M0,-8L7.6,-2.5L4.7,6.5H-4.7L-7.6,-2.5Z"),
)


@dataclass(frozen=True)
class Look:
    """Colour on a light and on a dark page, marker and line of one curve.

    Args:
        variable: CSS variable that holds the colour of the scheme in use.
        light: colour on white and on paper.
        dark: colour on the dark page.
        symbol: Plotly's name of the marker.
        marker: Matplotlib's.
        outline: SVG path of the marker, in a box of -10..10.
        dash: strokes and gaps of the line, in pixels; none for a whole line.
    """

    variable: str
    light: str
    dark: str
    symbol: str
    marker: str
    outline: str
    dash: tuple[int, ...] = ()

    @property
    def anchor(self) -> bool:
        """Whether it is that of a published curve, drawn thin, dashed and hollow."""
        return bool(self.dash)


def look_of(number: int) -> Look:
    """The look of the curve of this number; eight colours and nine markers repeat together after 72."""
    at = number % len(_LIGHT)
    return Look(f"--series-{at}", _LIGHT[at], _DARK[at], *_MARKERS[number % len(_MARKERS)])


def anchor_look(number: int) -> Look:
    """The look of a published curve: grey, told apart by its marker and its dashes."""
    return Look("--anchor", *_GREY, *_MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)])


def palette_css() -> str:
    """Style sheet that sets the colours for the light and the dark scheme."""

    def block(colours: tuple[str, ...], grey: str) -> str:
        series = "".join(f"--series-{number}:{colour};" for number, colour in enumerate(colours))
        return f":root{{{series}--anchor:{grey};}}"

    light, dark = block(_LIGHT, _GREY[0]), block(_DARK, _GREY[1])
    return f"{light}\n@media screen and (prefers-color-scheme: dark){{{dark}}}"


def glyph(look: Look) -> Markup:
    """The marker on a piece of its line, as a small picture for legends and tables."""
    paint = f"var({look.variable})"
    dashes = " ".join(map(str, look.dash)) or False
    line = tag("path", d="M-19,0H19", stroke=paint, stroke_width=2, stroke_dasharray=dashes)
    fill = "var(--paper)" if look.anchor else paint
    marker = tag("path", d=look.outline, fill=fill, stroke=paint, stroke_width=1.5)
    return tag("svg", line, marker, class_="glyph", viewBox="-20 -10 40 20", aria_hidden="true")
