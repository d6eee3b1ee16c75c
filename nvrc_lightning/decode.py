"""A `.nvrc` file in, a video out; needs neither Lightning nor anything else of training."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from nvrc_components.bitstream.video_file import load
from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_components.video_format import VideoFormat
from nvrc_lightning.data.writer import write_video

__all__ = ["choose_device", "decode"]


def decode(
    path: str | Path,
    output: str | Path,
    *,
    frames: tuple[int, int] = (0, 0),
    device: str = "auto",
    force: bool = False,
    progress: bool = False,
) -> VideoFormat:
    """Decode a file, or some of its frames, one frame in memory at a time.

    Args:
        path: the `.nvrc` file.
        output: .y4m, .mkv (FFV1, lossless), .mp4 (H.264, for viewing), or a folder for PNG pictures, which have the
            frames' numbers in the whole video.
        frames: first frame and one past the last; (0, 0) is all, and a last of 0 the end.
        device: auto, cpu, cuda, cuda:N or mps.
        force: replace what exists.
        progress: show a bar on stderr.

    Returns:
        The format of what was written, with the number of frames.

    Raises:
        InputError: the frames, the device or the output cannot be used as asked.
        BitstreamError: the file is foreign, newer, truncated or corrupted.
    """
    place = choose_device(device)
    file = load(path)
    start, stop = frames[0], frames[1] or file.format.frames
    decoded: Iterable[Tensor | Planes] = file.frames(start, stop, place)
    if progress:
        decoded = _tracked(decoded, stop - start)
    return write_video(decoded, file.format, output, force, start)


def choose_device(name: str) -> torch.device:
    """Return the device of this name; auto is the GPU where there is one.

    Raises:
        InputError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:  # an assertion where torch was built without the device
        raise InputError(f"device {name!r} is not available here; use cpu, or auto") from error
    return device


def _tracked(frames: Iterable[Tensor | Planes], total: int) -> Iterator[Tensor | Planes]:
    """The same frames with a bar on stderr."""
    from rich.console import Console
    from rich.progress import track

    yield from track(frames, "decoding", total=total, console=Console(stderr=True), transient=True)
