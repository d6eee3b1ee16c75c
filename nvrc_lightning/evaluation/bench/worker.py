"""Makes one point in a process of its own, so that its memory, its random numbers and its crashes are its own."""

import os
import pickle
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from nvrc_components.errors import NvrcError
from nvrc_components.functional.color import planes_to_rgb
from nvrc_components.video_format import Chroma
from nvrc_lightning.evaluation.bench.coders import Coder
from nvrc_lightning.evaluation.bench.frames import walk_stream
from nvrc_lightning.evaluation.bench.point import STREAMS, Point, point_path, write_point
from nvrc_lightning.evaluation.bench.reference import Reference
from nvrc_lightning.evaluation.vmaf import measure_vmaf, vmaf_program
from nvrc_lightning.host_memory import keep_freed_memory
from nvrc_lightning.termination import unwound

__all__ = ["EXIT_INPUT", "Task", "main"]

EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Task:
    """A point that is to be made.

    Args:
        reference: the video.
        coder: what codes it.
        folder: the folder of the bench.
    """

    reference: Reference
    coder: Coder
    folder: Path

    def path(self, suffix: str) -> str:
        """Where the point's file of this kind lies."""
        return point_path(self.reference.video, self.coder.codec, self.coder.variant, self.coder.setting, suffix)

    @property
    def name(self) -> str:
        """The point in words, without its video."""
        return f"{self.coder.codec}, {self.coder.variant}, {self.coder.setting}"

    @property
    def stream(self) -> str:
        """The coded file, relative to the folder."""
        return f"{STREAMS}/{self.path(self.coder.suffix)}"

    def run(self) -> None:
        """Code, measure, and store the point: first the coded file, then the point that vouches for it.

        Raises:
            NvrcError: the input was at fault.
        """
        stream = self.folder / self.stream
        stream.parent.mkdir(parents=True, exist_ok=True)
        result = self.coder.code(self.reference, self.folder, stream)
        point = Point(
            video=self.reference.video,
            codec=self.coder.codec,
            variant=self.coder.variant,
            setting=self.coder.setting,
            result=result,
            stream=self.stream,
            settings=self.coder.settings,
        )
        write_point(_with_vmaf(point, self), self.folder)


def _with_vmaf(point: Point, task: Task) -> Point:
    """The point with VMAF, where the program for it is installed."""
    if not vmaf_program():
        return point
    video = task.reference.read(task.folder)
    is_rgb = video.format.chroma == Chroma.RGB
    walk = walk_stream(point, task.folder, range(video.format.frames))
    frames = (planes_to_rgb(frame, fmt) if is_rgb and not isinstance(frame, Tensor) else frame for frame, fmt in walk)
    scores = replace(point.result.scores, vmaf=measure_vmaf(frames, video))
    return replace(point, result=replace(point.result, scores=scores))


def main() -> int:
    """Run the task that comes in on stdin; a mistake goes as one line into the file named by the argument."""
    length = int.from_bytes(sys.stdin.buffer.read(8), "little")
    task: Task = pickle.loads(sys.stdin.buffer.read(length))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    try:
        with unwound():
            task.run()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except NvrcError as error:
        Path(sys.argv[1]).write_text(" ".join(str(error).split()), encoding="utf-8")
        return EXIT_INPUT
    return 0


def _end_with_parent() -> None:
    """End at once when whoever started this is gone: nobody waits for the point, and a new sweep may make it."""
    os.read(sys.stdin.fileno(), 1)  # not through Python's buffer, whose lock would be held when this process ends
    os._exit(EXIT_INPUT)
