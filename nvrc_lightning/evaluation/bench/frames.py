"""The pictures of a point: its coded file through the decoder that scored it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from nvrc_components.bitstream.video_file import load
from nvrc_components.errors import InputError
from nvrc_components.functional.color import planes_to_rgb
from nvrc_components.video_format import VideoFormat
from nvrc_lightning.data.container import open_container
from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.bench.reference import read_references
from nvrc_lightning.evaluation.metrics import Decoded
from nvrc_lightning.evaluation.vvenc import decode_vvc

__all__ = ["frames_of", "walk_stream"]


def frames_of(point: Point, folder: str | Path, indices: Sequence[int]) -> Tensor:
    """Decode some frames of a point's file into RGB.

    A `.nvrc` file gives any frame by itself; other codecs decode from the first frame to the last one wanted.

    Args:
        point: the point.
        folder: the folder of the bench.
        indices: which frames, in any order.

    Shape:
        Returns (len(indices), 3, H, W), integer code values at the source's bit depth, full range.

    Raises:
        InputError: a frame is not in the video, or the file cannot be read.
        BitstreamError: a `.nvrc` file is damaged.
    """
    count = point.result.scores.frames
    if outside := [index for index in indices if not 0 <= index < count]:
        raise InputError(f"{point.video}: frame {outside[0]} is outside its frames 0:{count}")
    wanted = sorted(set(indices))
    walk = walk_stream(point, folder, wanted)
    pictures = {index: _rgb(*frame) for index, frame in zip(wanted, walk, strict=True)}
    return torch.cat([pictures[index] for index in indices])


def walk_stream(point: Point, folder: str | Path, indices: Sequence[int]) -> Iterator[tuple[Decoded, VideoFormat]]:
    """Decode frames of these ascending numbers one by one, as they lie in a point's file: each with what it means.

    Raises:
        InputError: the file cannot be read.
        BitstreamError: a `.nvrc` file is damaged.
    """
    path = Path(folder) / point.stream
    if path.suffix == ".nvrc":
        return _walk_nvrc(path, indices)
    if path.suffix == ".266":  # says neither matrix nor range
        return _pick(decode_vvc(path, read_references(folder)[point.video].format), indices)
    return _pick(_walk_container(path), indices)


def _walk_nvrc(path: Path, indices: Sequence[int]) -> Iterator[tuple[Decoded, VideoFormat]]:
    file = load(path)
    for index in indices:
        yield next(file.frames(index, index + 1)), file.format


def _walk_container(path: Path) -> Iterator[tuple[Decoded, VideoFormat]]:
    source = open_container(path)
    for first, second, third in source.walk(0):
        yield (first[None], second[None], third[None]), source.frame_format


def _pick(
    frames: Iterable[tuple[Decoded, VideoFormat]], indices: Sequence[int]
) -> Iterator[tuple[Decoded, VideoFormat]]:
    """The frames of these ascending numbers, and no decoding after the last of them."""
    wanted, last = set(indices), max(indices, default=-1)
    return (frame for index, frame in enumerate(islice(frames, last + 1)) if index in wanted)


def _rgb(frame: Decoded, fmt: VideoFormat) -> Tensor:
    """The frame in RGB, (1, 3, H, W)."""
    return frame if isinstance(frame, Tensor) else planes_to_rgb(frame, fmt)
