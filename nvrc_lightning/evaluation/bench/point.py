"""One point of a rate-distortion curve, and the folder of a bench in which points and coded files lie."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.result import Result

__all__ = ["POINTS", "STREAMS", "Point", "point_path", "read_point", "read_points", "video_name", "write_point"]

POINTS = "points"
"""Folder of the points inside that of a bench: one JSON file a point, in a folder for each video."""

STREAMS = "streams"
"""Folder of the coded files inside that of a bench, laid out like the points."""

_FIELDS = ("video", "codec", "variant", "setting", "stream")


@dataclass(frozen=True)
class Point:
    """One video, coded by one codec at one setting, and everything that was measured on the coded file.

    Points that agree in video, codec and variant make a curve; setting is what moves along it.

    Args:
        video: name of the source, with its frames behind it where not all were taken: "clip.mkv 0:16".
        codec: x264, x265, svtav1, vp9, vvenc, or the name of a recipe.
        variant: what tells settings apart besides the rate: "veryslow, one intra frame", "50 epochs, size xs".
        setting: where on the curve: "crf 26", "qp 32", "lambda 8".
        result: rate, scores, cost and run.
        stream: the coded file, relative to the folder of the bench, with "/" between its parts.
        settings: all that the coder was told, by name, and what was counted as its bytes.
    """

    video: str
    codec: str
    variant: str
    setting: str
    result: Result
    stream: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Codec, variant and setting in one line."""
        return ", ".join(part for part in (self.codec, self.variant, self.setting) if part)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        own = {name: getattr(self, name) for name in _FIELDS}
        return own | {"settings": dict(self.settings), "result": self.result.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Point":
        """The point of plain data.

        Raises:
            KeyError, TypeError, ValueError: it is not that of a point.
        """
        own = {name: str(data[name]) for name in _FIELDS}
        return cls(**own, settings=dict(data["settings"]), result=Result.from_dict(data["result"]))


def point_path(video: str, codec: str, variant: str, setting: str, suffix: str) -> str:
    """Where a point's file of this kind lies below `points` or `streams`, with "/" between the parts.

    Readable, and different for different points: a hash tells those apart that only differ in characters no file
    name should have.
    """
    digest = _digest(json.dumps([video, codec, variant, setting]))
    return f"{video_name(video)}/{_slug(f'{codec} {setting} {variant}')}-{digest}{suffix}"


def video_name(video: str) -> str:
    """What files and folders of a video are named by."""
    return f"{_slug(video)}-{_digest(video)}"


def write_point(point: Point, folder: str | Path) -> None:
    """Store a point in the folder of a bench, whole or not at all; one that is there is replaced.

    Raises:
        InputError: it cannot be written.
    """
    path = Path(folder) / POINTS / point_path(point.video, point.codec, point.variant, point.setting, ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, force=True) as temporary:
        temporary.write_text(json.dumps(point.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_point(path: str | Path) -> Point:
    """Read what `write_point` wrote.

    Raises:
        InputError: the file cannot be read or is no point.
    """
    try:
        return Point.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a point of nvrc bench; delete it, and the sweep makes it again") from error


def read_points(folder: str | Path) -> tuple[Point, ...]:
    """All points in the folder of a bench: by video, codec and variant, along each curve from low to high rate.

    Raises:
        InputError: there is no such folder, or a file in it is no point.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; 'nvrc bench ... --out {folder}' makes one")
    files = (path for path in (place / POINTS).glob("*/*.json") if not path.name.startswith("."))
    return tuple(sorted(map(read_point, files), key=_order))


def _order(point: Point) -> tuple[str, str, str, int, str]:
    """What points are sorted by, so that the same points always make the same table."""
    return point.video, point.codec, point.variant, point.result.rate.file_bytes, point.setting


def _digest(text: str) -> str:
    """Enough of a hash to tell names apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _slug(text: str) -> str:
    """The text in characters that every file system takes, and not too many of them."""
    return re.sub(r"[^a-z0-9.]+", "_", text.lower()).strip("._")[:80] or "x"
