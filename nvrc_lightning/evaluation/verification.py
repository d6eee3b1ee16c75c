"""Whether a file gives back what its encoder saw."""

import math
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
) -> tuple[VideoFile, float, int]:
    """Decode all frames of a file and compare them with the encoder's.

    Symbols and parameters are exact everywhere, pixels come out of floating point: on a CPU they are equal as a rule,
    on an accelerator one code value may be between them where the encoder and the decoder batch differently. The
    random numbers of the process are left as they were.

    Args:
        path: the file.
        reconstruction: gives the encoder's frame of a number, in integer code values.
        device: where to decode.
        seen: is given every decoded frame, in order.

    Returns:
        The open file, the seconds that opening it and decoding all frames took, and the largest difference of a
        value, 0 or 1.

    Raises:
        RuntimeError: a frame differs by more than one code value.
    """
    largest = 0.0
    seconds = -time.perf_counter()
    with torch.random.fork_rng(devices=[]):  # a network is initialised before its parameters are read
        file = load(path)
        frames = file.frames(device=device)
        for index in range(file.format.frames):
            frame = next(frames)
            seconds += time.perf_counter()
            largest = max(largest, _difference(frame, reconstruction(index)))
            if largest > 1:
                raise RuntimeError(f"{os.fspath(path)}: frame {index} decodes to other values than the encoder has")
            seen(frame)
            seconds -= time.perf_counter()
    return file, seconds + time.perf_counter(), int(largest)


def _difference(frame: Frame, other: Frame) -> float:
    """Return the largest difference between the values of two frames; infinite where they are of other shapes."""
    ours, theirs = ((x,) if isinstance(x, Tensor) else x for x in (frame, other))
    if [a.shape for a in ours] != [b.shape for b in theirs]:
        return math.inf
    return max(int((a.int() - b.int()).abs().max()) for a, b in zip(ours, theirs, strict=True))
