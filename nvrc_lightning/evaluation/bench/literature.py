"""What others published of a video, found by its name and believed only if it is the same video."""

import glob
from collections.abc import Iterable
from pathlib import Path

from nvrc_components.errors import InputError
from nvrc_lightning.data.options import NO_GEOMETRY, RawGeometry
from nvrc_lightning.data.paths import PACKAGED
from nvrc_lightning.data.reader import RAW_SUFFIXES
from nvrc_lightning.evaluation.anchors import DATA_SETS, PublishedPoint, find_sequences, find_set, published_points
from nvrc_lightning.evaluation.bench.reference import Reference

__all__ = ["complete_geometry", "expect_file", "literature", "remarks"]


def literature(references: Iterable[Reference]) -> dict[str, tuple[PublishedPoint, ...]]:
    """Published points of the videos that are whole sequences of a known data set, by name of the video."""
    found = {
        reference.video: tuple(
            point
            for sequence in find_sequences(reference.path)
            if not sequence.mismatch(reference.format, reference.sha256)
            for point in published_points(sequence.data_set, sequence.sequence)
        )
        for reference in references
    }
    return {video: points for video, points in found.items() if points}


def remarks(reference: Reference) -> tuple[str, ...]:
    """Why nothing published is set beside a video that is named like a sequence of a known data set."""
    return tuple(
        f"{reference.video}: named like {sequence.sequence} of {sequence.data_set}, but {why}; no published points "
        f"beside it (the whole sequence is to be had from {DATA_SETS[sequence.data_set]})"
        for sequence in find_sequences(reference.path)
        if (why := sequence.mismatch(reference.format, reference.sha256))
    )


def expect_file(path: str) -> None:
    """Refuse a file that is not there, with the way to it if it is that of a known sequence or data set.

    Raises:
        InputError: it is not there.
    """
    place = Path(path).expanduser()
    of_pictures = any(mark in path for mark in "*?[") and place.suffix.lower() in ("", ".png")
    if path in PACKAGED or place.exists() or of_pictures or glob.glob(str(place)):  # noqa: PTH207 - absolute patterns
        return
    advice = [sequence.advice() for sequence in find_sequences(place) or find_set(place)]
    raise InputError("; ".join([f"{path}: no such file", *advice[:1]]))


def complete_geometry(path: str, raw: RawGeometry) -> RawGeometry:
    """Geometry of a file: that of its known sequence where nothing was said; of one with a header only the matrix."""
    known = find_sequences(path)
    if not known or raw != NO_GEOMETRY:
        return raw
    is_headerless = Path(path).suffix.lower() in RAW_SUFFIXES
    return known[0].raw if is_headerless else RawGeometry(matrix=known[0].raw.matrix)
