"""Sizes and times as people write them."""

import math
import re
from fractions import Fraction
from typing import Final

from nvrc_components.errors import InputError

__all__ = ["parse_duration", "parse_size"]

_BYTES: Final = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmg", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmg", 1)},
}
_NUMBER: Final = r"(\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})"
_SIZE: Final = re.compile(rf"{_NUMBER} ?([a-z]*)", re.IGNORECASE)
_DURATION: Final = re.compile(rf"(?:{_NUMBER} ?h)? ?(?:{_NUMBER} ?m(?:in)?)? ?(?:{_NUMBER} ?s)?")


def parse_size(text: str) -> int:
    """Return the bytes of a size such as 200kB, 1.5MB (powers of 1000), 300KiB (of 1024) or 51200; rounded down.

    Raises:
        InputError: it is no size, or less than a byte.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = match[2].lower() if match else "?"
    if match is None or unit not in _BYTES:
        raise InputError(f"size {text!r} is not a number of bytes, such as 200kB, 1.5MB, 300KiB or 51200")
    if match[2].endswith("b") and unit != "b":
        raise InputError(f"size {text!r} could be bits or bytes; write {text.strip()[:-1]}B for bytes")
    size: int = math.floor(Fraction(match[1]) * _BYTES[unit])
    if size < 1:
        raise InputError(f"size {text!r} is less than a byte")
    return size


def parse_duration(text: str) -> float:
    """Return the seconds of a time such as 90s, 10m, 1.5h or 1h30m.

    Raises:
        InputError: it is no time, or none at all.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    parts = match.groups() if match else ()
    if not any(parts):
        hint = "; give a unit" if re.fullmatch(_NUMBER, text.strip()) else ""
        raise InputError(f"time {text!r} is not hours, minutes or seconds, such as 90s, 10m, 1.5h or 1h30m{hint}")
    seconds = sum(float(part or 0) * scale for part, scale in zip(parts, (3600, 60, 1), strict=True))
    if not seconds > 0:
        raise InputError(f"time {text!r} is no time at all")
    return seconds
