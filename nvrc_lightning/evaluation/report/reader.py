"""Frames of a bench as pictures: of the sources and of the coded files."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.bench.frames import frames_of
from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.bench.reference import read_references
from nvrc_lightning.evaluation.report.pictures import Picture, to_rgb8

__all__ = ["BenchReader"]


class BenchReader:
    """Gives frames of the bench in a folder, at 8 bits.

    Raises:
        InputError: a description of a video in it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._references = read_references(folder)

    def source(self, video: str, indices: Sequence[int]) -> Sequence[Picture]:
        """Frames of the source; none where it is no longer at hand, or no longer the same."""
        if video not in self._references:
            return ()
        try:
            pixels = self._references[video].read(self._folder)
        except InputError:
            return ()
        return self._pictures(video, pixels.rgb()[list(indices)])

    def decoded(self, point: Point, indices: Sequence[int]) -> Sequence[Picture]:
        """Frames decoded from a point's file.

        Raises:
            InputError: it cannot be read.
            BitstreamError: it is damaged.
        """
        return self._pictures(point.video, frames_of(point, self._folder, indices))

    def _pictures(self, video: str, rgb: Tensor) -> list[Picture]:
        depth = self._references[video].format.bit_depth if video in self._references else 8
        return [to_rgb8(frame, depth) for frame in rgb]
