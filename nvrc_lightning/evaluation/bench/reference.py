"""The source that all points of a video are measured against, and how it is found again."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.data.options import NO_GEOMETRY, RawGeometry, Selection
from nvrc_lightning.data.packaged import read_named_video
from nvrc_lightning.data.paths import PACKAGED
from nvrc_lightning.data.source import to_samples
from nvrc_lightning.data.video import Video
from nvrc_lightning.evaluation.bench.point import video_name

__all__ = ["REFERENCES", "Reference", "open_reference", "read_references", "write_reference"]

REFERENCES = "videos"
"""Folder inside that of a bench with one JSON file for each video."""

_ENUMS = {"chroma": Chroma, "matrix": ColourMatrix, "colour_range": ColourRange}


@dataclass(frozen=True)
class Reference:
    """A video, or the part of one, that was coded.

    Args:
        video: its name in the points.
        path: where it was read from, relative to the folder of the bench unless it has a name in the package.
        frames: which frames of it, as start:stop.
        raw: geometry of a headerless file.
        format: of the frames taken; its matrix is what YUV is converted to RGB by.
        sha256: of all samples, frame by frame and plane by plane, as Y4M stores them.
    """

    video: str
    path: str
    frames: str
    raw: RawGeometry
    format: VideoFormat
    sha256: str

    def locate(self, folder: str | Path) -> str:
        """The path to read it from, given the folder of the bench."""
        return self.path if self.path in PACKAGED else os.path.normpath(Path(folder) / self.path)

    def read(self, folder: str | Path) -> Video:
        """Read it again.

        Raises:
            InputError: it is not where it was, or no longer what it was.
        """
        path = self.locate(folder)
        raw = replace(self.raw, matrix=self.format.matrix)  # which it was read with, whoever told it
        video = read_named_video(path, Selection.parse(self.frames), raw)
        if _digest(video) != self.sha256:
            raise InputError(f"{path}: no longer the video that was coded; choose another folder for the bench")
        return video

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = asdict(self)
        for part in (data["raw"], data["format"]):
            part |= {name: part[name].name for name in _ENUMS if part.get(name) is not None}
        data["format"]["rate"] = str(self.format.rate)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Reference":
        """The reference of plain data.

        Raises:
            KeyError, TypeError, ValueError: it is not that of a reference.
        """
        raw, fmt = (_with_enums(data[part]) for part in ("raw", "format"))
        fmt["rate"] = Fraction(fmt["rate"])
        names = ("video", "path", "frames", "sha256")
        own = {name: str(data[name]) for name in names}
        return cls(**own, raw=RawGeometry(**raw), format=VideoFormat(**fmt))


def open_reference(
    path: str, folder: str | Path, frames: str = ":", raw: RawGeometry = NO_GEOMETRY
) -> tuple[Reference, Video]:
    """Read a video that is to be coded into the folder of a bench, and describe it.

    Raises:
        InputError: it cannot be read as asked.
    """
    video = read_named_video(path, Selection.parse(frames), raw)
    place = Path(path).expanduser()
    kept = path if path in PACKAGED else Path(os.path.relpath(place.absolute(), Path(folder).absolute())).as_posix()
    name = f"{place.parent.name}/{place.name}" if any(mark in place.name for mark in "*?[") else place.name
    name = name if frames == ":" else f"{name} {frames}"
    return Reference(name, kept, frames, raw, video.format, _digest(video)), video


def write_reference(reference: Reference, folder: str | Path) -> None:
    """Store it in the folder of a bench.

    Raises:
        InputError: the folder has points of another video of this name, or of this one read otherwise, or cannot be
            written.
    """
    path = _path(reference.video, folder)
    if path.exists() and _read(path).sha256 != reference.sha256:
        raise InputError(f"{folder}: has points of another video named {reference.video}; choose another folder")
    if path.exists() and _read(path).format != reference.format:
        raise InputError(
            f"{folder}: {reference.video} was read with another rate, matrix or range there; choose another folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, force=True) as temporary:
        temporary.write_text(json.dumps(reference.to_dict(), indent=2) + "\n", encoding="utf-8")


def read_references(folder: str | Path) -> dict[str, Reference]:
    """The videos of a bench by their names in the points.

    Raises:
        InputError: a file among them is not what it should be.
    """
    files = (path for path in (Path(folder) / REFERENCES).glob("*.json") if not path.name.startswith("."))
    found = sorted(map(_read, files), key=lambda reference: reference.video)
    return {reference.video: reference for reference in found}


def _with_enums(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with members of enumerations for their names."""
    return {name: _ENUMS[name][value] if name in _ENUMS and value else value for name, value in data.items()}


def _path(video: str, folder: str | Path) -> Path:
    return Path(folder) / REFERENCES / f"{video_name(video)}.json"


def _read(path: Path) -> Reference:
    """What `write_reference` wrote."""
    try:
        return Reference.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a video of nvrc bench; delete it, and the sweep makes it again") from error


def _digest(video: Video) -> str:
    """SHA-256 of all samples."""
    digest = hashlib.sha256()
    for frame in zip(*video.planes, strict=True):
        for plane in frame:
            digest.update(to_samples(plane, video.format.bit_depth).tobytes())
    return digest.hexdigest()
