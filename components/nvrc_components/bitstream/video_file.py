"""The `.nvrc` file as a video: a compressed representation in, frames out, any of them in any order."""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nvrc_components.bitstream.container import Section, SectionKind, read_container, write_container
from nvrc_components.bitstream.header import GroupHeader, Header
from nvrc_components.compressed_module import CompressedModule, Group, Streams
from nvrc_components.entropy_models import ENTROPY_MODELS
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.functional.color import Planes, code_dtype, downsample_chroma
from nvrc_components.quantizers import QUANTIZERS
from nvrc_components.representations.registry import allocate, kind_of, plan
from nvrc_components.video_format import VideoFormat


class CodedColour(IntEnum):
    """What the representation puts out, in [0, 1]."""

    RGB = 0
    YUV444 = 1


@dataclass(frozen=True)
class VideoFile:
    """An open file: its header, its sections, and the network that its parameters make."""

    header: Header
    sections: tuple[Section, ...]
    compressed: CompressedModule

    @property
    def format(self) -> VideoFormat:
        """The video's format."""
        return self.header.format

    def frames(self, start: int = 0, stop: int = 0, device: str | torch.device = "cpu") -> Iterator[Tensor | Planes]:
        """Yield decoded frames start..stop-1 one by one, as integer code values; stop 0 is the end.

        Shape: RGB (1, 3, H, W), or three planes (1, h, w) where the video was coded in YUV.

        Raises:
            InputError: the frames are not in the video.
        """
        stop = stop or self.format.frames
        if not 0 <= start < stop <= self.format.frames:
            raise InputError(f"frames {start}:{stop} are outside the video, which has frames 0:{self.format.frames}")
        # A copy where it moves, so that frames may be asked for on several devices at once.
        module = self.compressed.module
        if torch.device(device).type != "cpu":
            module = copy.deepcopy(module).to(device)
        for index in range(start, stop):
            with torch.no_grad(), full_precision():
                picture = module(torch.tensor([index], device=device))
            yield to_code_values(picture.float().cpu(), self.format, CodedColour(self.header.coded_colour))


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep convolutions and products of an NVIDIA GPU in true float32: TF32 would move pixels by more than a value."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def to_code_values(pictures: Tensor, fmt: VideoFormat, colour: CodedColour) -> Tensor | Planes:
    """Return pictures in [0, 1] as the integer code values that a decoder puts out.

    Shape: (B, 3, H, W) -> (B, 3, H, W) for RGB, or planes (B, h, w) of the format.
    """
    dtype = code_dtype(fmt.bit_depth)
    values = pictures.clamp(0, 1) * fmt.peak
    if colour == CodedColour.RGB:
        return values.round().to(dtype)
    luma, u, v = values.unbind(1)
    if fmt.plane_sizes[1] != fmt.plane_sizes[0]:
        u, v = (downsample_chroma(plane, fmt.plane_sizes[1]) for plane in (u, v))
    return luma.round().to(dtype), u.round().to(dtype), v.round().to(dtype)


def save(
    compressed: CompressedModule,
    fmt: VideoFormat,
    path: str | os.PathLike[str],
    colour: CodedColour = CodedColour.RGB,
    force: bool = False,
) -> int:
    """Write the file, whole or not at all, and return its size in bytes.

    Raises:
        InputError: the file exists and `force` is not set, or cannot be written; or a parameter cannot be coded.
        BitstreamError: the network is of no kind that a file can hold.
    """
    return write_container(sections_of(compressed, fmt, colour), path, force)


def sections_of(compressed: CompressedModule, fmt: VideoFormat, colour: CodedColour = CodedColour.RGB) -> list[Section]:
    """Return what `save` writes, in file order; `pack` makes the file's bytes of it.

    Raises:
        InputError: a parameter cannot be coded, or the video and the network do not fit.
        BitstreamError: the network is of no kind that a file can hold.
    """
    module: Any = compressed.module
    kind = kind_of(module)
    if contradiction := _contradiction(fmt, module.config):
        raise InputError(f"the file would contradict itself: {contradiction}")
    streams = compressed.compress()
    configuration = tuple(module.config.to_ints())
    header = Header(fmt, kind, configuration, int(colour), _group_headers(compressed))
    return [
        Section(SectionKind.HEADER, header.to_bytes()),
        Section(SectionKind.SIDE, streams.side),
        *(Section(SectionKind.GROUP, stream, name) for name, stream in streams.groups.items()),
    ]


def load(path: str | os.PathLike[str]) -> VideoFile:
    """Read a file: check it, build its network from the fixed table, decode all parameters.

    Raises:
        InputError: it cannot be read.
        BitstreamError: it is foreign, newer, truncated, corrupted or contradicts itself.
    """
    sections = read_container(path)
    try:
        return _open(sections)
    except (BitstreamError, ValueError) as error:
        raise BitstreamError(f"{os.fspath(path)}: {error}") from error


def _open(sections: Sequence[Section]) -> VideoFile:
    header = Header.from_bytes(_payload(sections, SectionKind.HEADER))
    names = [section.name for section in sections if section.kind == SectionKind.GROUP]
    network = _network(header)
    if len(header.groups) != len(names):
        raise BitstreamError(f"the header names {len(header.groups)} groups of parameters, the file has {len(names)}")
    groups = [_group(name, group) for name, group in zip(names, header.groups, strict=True)]
    compressed = CompressedModule(network, groups).eval()
    streams = {section.name: section.payload for section in sections if section.kind == SectionKind.GROUP}
    compressed.decompress(Streams(_payload(sections, SectionKind.SIDE), streams))
    return VideoFile(header, tuple(sections), compressed)


def _network(header: Header) -> nn.Module:
    """Return the header's network, all zero, once it is clear that it fits the video and into memory."""
    network = plan(header.representation, header.configuration)
    if contradiction := _contradiction(header.format, network.config):
        raise BitstreamError(f"the header contradicts itself: {contradiction}")
    return allocate(network)


def _contradiction(fmt: VideoFormat, config: Any) -> str:
    """Return how a network's configuration does not fit the video; empty if it does."""
    video = fmt.frames, fmt.width, fmt.height, 3
    network = config.frames, config.width, config.height, config.out_channels
    words = "{} frames of {}x{} in {} channels".format
    return "" if video == network else f"a video of {words(*video)}, but a network for {words(*network)}"


def _payload(sections: Sequence[Section], kind: SectionKind) -> bytes:
    for section in sections:
        if section.kind == kind:
            return section.payload
    raise BitstreamError(f"section '{kind.name.lower()}' is missing")


def _group_headers(compressed: CompressedModule) -> tuple[GroupHeader, ...]:
    headers: dict[str, GroupHeader] = {}
    patterns = {group.name: group.pattern for group in compressed.groups}
    for codec in compressed.tensor_codecs():
        quantizer, model = codec.quantizer, codec.entropy_model
        header = GroupHeader(
            patterns[codec.group],
            quantizer.kind,
            tuple(quantizer.configuration()),
            model.kind,
            tuple(model.configuration()),
        )
        if headers.setdefault(codec.group, header) != header:
            raise InputError(
                f"group '{codec.group}': its tensors are coded in different ways; a file needs one a group"
            )
    return tuple(headers[group.name] for group in compressed.groups if group.name in headers)


def _group(name: str, header: GroupHeader) -> Group:
    quantizer, model = QUANTIZERS.get(header.quantizer), ENTROPY_MODELS.get(header.entropy_model)
    if quantizer is None or model is None:
        raise BitstreamError(
            f"group '{name}' uses quantizer {header.quantizer} and entropy model {header.entropy_model}, "
            "not both known here; a newer nvrc may read it"
        )
    return Group(
        name,
        header.pattern,
        partial(quantizer.from_configuration, configuration=header.quantizer_configuration),
        partial(model.from_configuration, configuration=header.entropy_configuration),
    )


def parameter_count(module: nn.Module) -> int:
    """Return how many numbers a network's parameters hold."""
    return sum(parameter.numel() for parameter in module.parameters())
