"""What a `.nvrc` file holds: its video, the share of every section, and the network it makes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from nvrc_components.bitstream.container import SectionKind
from nvrc_components.bitstream.video_file import CodedColour, VideoFile, load
from nvrc_components.compressed_module import CompressedModule
from nvrc_components.groups import TensorCodec
from nvrc_components.representations.complexity import PartComplexity, complexity
from nvrc_components.representations.representation import Representation
from nvrc_components.video_format import Chroma, VideoFormat

__all__ = ["Coding", "Description", "SectionShare", "describe", "print_description"]

_WIDTH = 80


@dataclass(frozen=True)
class SectionShare:
    """One section of a file.

    Args:
        name: its kind, and its own name where there is one.
        size: bytes in the file, frame and checksum included.
        share: of the whole file, 0 to 1.
        parameters: numbers of the network it codes; 0 for a section that codes none.
    """

    name: str
    size: int
    share: float
    parameters: int = 0

    @property
    def bits_per_parameter(self) -> float | None:
        """Bits for each number it codes, or None if it codes none."""
        return 8 * self.size / self.parameters if self.parameters else None


@dataclass(frozen=True)
class Coding:
    """How the tensors of a group are coded.

    Args:
        group: its name.
        tensors: how many they are.
        quantizers: their quantisers, each kind once, with what it was sized to.
        entropy_models: the same of their entropy models.
    """

    group: str
    tensors: int
    quantizers: tuple[str, ...]
    entropy_models: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """A file's header, sections and network.

    Args:
        name: the file's name.
        size: bytes of the file.
        format: the video's.
        representation: class of the network.
        colour: what the network puts out.
        sections: in file order.
        codings: how each group is coded, as the header has it.
        parts: parameters and multiply-accumulates per pixel of each part of the network, the total last.
    """

    name: str
    size: int
    format: VideoFormat
    representation: str
    colour: CodedColour
    sections: tuple[SectionShare, ...]
    codings: tuple[Coding, ...]
    parts: tuple[PartComplexity, ...]

    @property
    def bpp(self) -> float:
        """Bits of the file for each pixel of the video."""
        return 8 * self.size / self.format.pixels


def describe(path: str | Path) -> Description:
    """Read a file, check all of it, and say what is in it.

    Raises:
        InputError: it cannot be read.
        BitstreamError: it is foreign, newer, truncated or corrupted; the message names the section.
    """
    file = load(path)
    module = file.compressed.module
    return Description(
        name=Path(path).name,
        size=Path(path).stat().st_size,
        format=file.format,
        representation=type(module).__name__,
        colour=CodedColour(file.header.coded_colour),
        sections=tuple(_sections(file, Path(path).stat().st_size)),
        codings=tuple(_codings(file.compressed)),
        parts=tuple(complexity(module)) if isinstance(module, Representation) else (),
    )


def _sections(file: VideoFile, size: int) -> Iterator[SectionShare]:
    """Size and parameters of each section."""
    parameters = dict(file.compressed.module.named_parameters())
    counts: Counter[str] = Counter()
    for name, codec in zip(file.compressed.names, file.compressed.tensor_codecs(), strict=True):
        counts[codec.group] += parameters[name].numel()
    framing = size
    for section in file.sections:
        length = len(section.framed())
        framing -= length
        coded = counts[section.name] if section.kind == SectionKind.GROUP else 0
        yield SectionShare(section.label, length, length / size, coded)
    yield SectionShare("magic and end mark", framing, framing / size)


def _codings(compressed: CompressedModule) -> Iterator[Coding]:
    """Quantisers and entropy models of each group."""
    codecs: dict[str, list[TensorCodec]] = {}
    for codec in compressed.tensor_codecs():
        codecs.setdefault(codec.group, []).append(codec)
    for group, members in codecs.items():
        quantizers = dict.fromkeys(_words(codec.quantizer) for codec in members)
        models = dict.fromkeys(_words(codec.entropy_model) for codec in members)
        yield Coding(group, len(members), tuple(quantizers), tuple(models))


def _words(module: nn.Module) -> str:
    """A module's class, and what it says of itself."""
    extra = module.extra_repr()
    return f"{type(module).__name__} ({extra})" if extra else type(module).__name__


def print_description(description: Description, console: Console | None = None) -> None:
    """Print a description; without a terminal it is plain text of the same width."""
    console = console or Console()
    table = Table(title=Text(description.name, "bold"), box=ROUNDED, show_header=False, width=_WIDTH)
    table.title_justify = "left"
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1, style="dim")
    for block in (_video(description), _shares(description), _coded(description), _network(description)):
        for row in block:
            table.add_row(*(Text(cell) for cell in row))
        table.add_section()
    console.print(table, width=min(console.width, _WIDTH))


def _video(description: Description) -> Iterator[tuple[str, str, str]]:
    """The file and its video."""
    fmt = description.format
    colour = fmt.chroma.name if fmt.chroma == Chroma.RGB else f"{fmt.chroma.name}, {fmt.matrix.name}"
    yield "File", f"{description.size:,} B", f"{description.bpp:.4f} bit/pixel"
    yield "Video", f"{fmt.width}x{fmt.height}", f"{fmt.frames} frames, {float(fmt.rate):.6g} frame/s"
    yield "Samples", f"{fmt.bit_depth} bit", f"{colour}, {fmt.colour_range.name.lower()} range"
    yield "Coded by", description.representation, f"as {description.colour.name}"


def _shares(description: Description) -> Iterator[tuple[str, str, str]]:
    """Every section."""
    for section in description.sections:
        bits = section.bits_per_parameter
        coded = "" if bits is None else f", {section.parameters:,} parameters at {bits:.2f} bit"
        yield section.name, f"{section.size:,} B", f"{100 * section.share:.1f} %{coded}"


def _coded(description: Description) -> Iterator[tuple[str, str, str]]:
    """Every group."""
    for coding in description.codings:
        yield coding.group, f"{coding.tensors} tensor{'s' * (coding.tensors > 1)}", " or ".join(coding.quantizers)
        yield "", "", " or ".join(coding.entropy_models)


def _network(description: Description) -> Iterator[tuple[str, str, str]]:
    """Every part of the network."""
    for part in description.parts:
        yield part.name, f"{part.parameters:,}", f"parameters, {part.macs_per_pixel / 1000:.3f} kMAC/pixel"
