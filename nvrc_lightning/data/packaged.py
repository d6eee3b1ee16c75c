"""The clips that come with the package, which have a name instead of a path."""

from importlib.resources import as_file, files

from nvrc_lightning.data.options import NO_GEOMETRY, WHOLE, RawGeometry, Selection
from nvrc_lightning.data.paths import PACKAGED
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.video import Video

__all__ = ["read_named_video"]


def read_named_video(path: str, select: Selection = WHOLE, raw: RawGeometry = NO_GEOMETRY) -> Video:
    """Read a clip of this package by its name, or anything else as `read_video` does.

    Raises:
        InputError: the video cannot be read as asked.
    """
    if path not in PACKAGED:
        return read_video(path, select, raw)
    with as_file(files("nvrc_lightning") / "assets" / PACKAGED[path]) as clip:
        return read_video(clip, select, raw)
