"""Whether a file gives back what its encoder saw."""

import os
import time
from collections.abc import Callable

import torch
from torch import Tensor

from nvrc_components.bitstream.video_file import VideoFile, load
from nvrc_components.functional.color import Planes

__all__ = ["verify_file"]

Frame = Tensor | Planes


def verify_file(
    path: str | os.PathLike[str],
    reconstruction: Callable[[int], Frame],
    device: str | torch.device = "cpu",
    seen: Callable[[Frame], None] = lambda frame: None,
) -> tuple[VideoFile, float]:
    """Decode all frames of a file and compare them with the encoder's.

    The random numbers of the process are left as they were.

    Args:
        path: the file.
        reconstruction: gives the encoder's frame of a number, in integer code values.
        device: where to decode.
        seen: is given every decoded frame, in order.

    Returns:
        The open file, and the seconds that opening it and decoding all frames took.

    Raises:
        RuntimeError: a frame differs.
    """
    seconds = -time.perf_counter()
    with torch.random.fork_rng(devices=[]):  # a network is initialised before its parameters are read
        file = load(path)
        frames = file.frames(device=device)
        for index in range(file.format.frames):
            frame = next(frames)
            seconds += time.perf_counter()
            if not _equal(frame, reconstruction(index)):
                raise RuntimeError(f"{os.fspath(path)}: frame {index} decodes to other values than the encoder has")
            seen(frame)
            seconds -= time.perf_counter()
    return file, seconds + time.perf_counter()


def _equal(frame: Frame, other: Frame) -> bool:
    """Whether two frames are the same in every value."""
    if isinstance(frame, Tensor) or isinstance(other, Tensor):
        return isinstance(frame, Tensor) and isinstance(other, Tensor) and torch.equal(frame, other)
    return all(torch.equal(ours, theirs) for ours, theirs in zip(frame, other, strict=True))
