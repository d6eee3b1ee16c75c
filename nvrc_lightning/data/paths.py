"""What a video may be called; without the imports that reading one takes, so that a wrong name is refused at once."""

from pathlib import Path
from typing import Final

__all__ = ["PACKAGED", "is_missing"]

PACKAGED: Final = {"bunny": "bunny_192x128_32f.mkv"}
"""Files of the clips that come with the package, by name."""


def is_missing(path: str | Path) -> bool:
    """Return whether a path is certainly neither there nor a pattern of pictures' names."""
    try:
        place = Path(path).expanduser()
        return not place.exists() and not any(mark in str(place) for mark in "*?[")
    except (OSError, RuntimeError):  # no such name can be, or may be looked at, or no such user: whoever opens it tells
        return False
