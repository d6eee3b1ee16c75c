"""Geometry of headerless files from the words of a command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from nvrc_components.errors import InputError
from nvrc_components.video_format import ColourMatrix, ColourRange
from nvrc_lightning.data.options import NO_GEOMETRY, PixelFormat, RawGeometry
from nvrc_lightning.suggestions import did_you_mean

__all__ = ["parse_geometry"]


def parse_geometry(words: Sequence[str]) -> RawGeometry:
    """Read words such as width=1920 and pix_fmt=yuv420p10le, the last one of a name counting.

    Raises:
        InputError: a name is not known, or a value is not what it should be.
    """
    raw = NO_GEOMETRY
    for word in words:
        name, _, value = word.partition("=")
        if name not in _VALUES:
            raise InputError(f"unknown option 'data.raw.{name}'{did_you_mean(name, _VALUES)}")
        try:
            raw = replace(raw, **{name: _VALUES[name](value)})
        except (ValueError, KeyError) as error:
            raise InputError(f"--data.raw.{name}: {value!r} is not {_WANTED[name]}") from error
    return raw


def _pixel_format(value: str) -> str:
    if value not in get_args(PixelFormat):
        raise ValueError
    return value


_VALUES: Mapping[str, Callable[[str], Any]] = {
    "width": int,
    "height": int,
    "pix_fmt": _pixel_format,
    "rate": str,
    "matrix": ColourMatrix.__getitem__,
    "colour_range": ColourRange.__getitem__,
}
_WANTED = {
    "width": "a whole number",
    "height": "a whole number",
    "pix_fmt": f"one of {', '.join(get_args(PixelFormat))}",
    "matrix": f"one of {', '.join(matrix.name for matrix in ColourMatrix)}",
    "colour_range": f"one of {', '.join(colour_range.name for colour_range in ColourRange)}",
}
