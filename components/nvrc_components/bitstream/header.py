"""The header section: what the file's video is, which network makes it, and how its parameters are coded."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from nvrc_components.coding.varint import ByteReader, ByteWriter, check_range
from nvrc_components.errors import BitstreamError
from nvrc_components.video_format import MAX_COUNT, MAX_SIDE, Chroma, ColourMatrix, ColourRange, VideoFormat

MAX_CONFIGURATION = 4096
MAX_CONFIGURATION_VALUE = 1 << 40
MAX_GROUPS = 256
MAX_PATTERN = 1024
_MAX_ID = 255


class Field(NamedTuple):
    """An integer of the header: its name, and the least and greatest value it may have."""

    name: str
    low: int
    high: int


# In file order; each is an unsigned varint.
VIDEO_FIELDS = (
    Field("width", 1, MAX_SIDE),
    Field("height", 1, MAX_SIDE),
    Field("frames", 1, MAX_COUNT),
    Field("rate numerator", 1, MAX_COUNT),
    Field("rate denominator", 1, MAX_COUNT),
    Field("bit depth", 8, 16),
    Field("chroma", min(Chroma), max(Chroma)),
    Field("matrix", min(ColourMatrix), max(ColourMatrix)),
    Field("colour range", min(ColourRange), max(ColourRange)),
)
MODEL_FIELDS = (Field("coded colour", 0, 1), Field("representation", 0, _MAX_ID))
_QUANTIZER = Field("quantizer", 0, _MAX_ID)
_ENTROPY_MODEL = Field("entropy model", 0, _MAX_ID)


@dataclass(frozen=True)
class GroupHeader:
    """How one group of parameters is coded.

    Args:
        pattern: Which parameters it holds, by name.
        quantizer: Kind of the quantizer, 0..255.
        quantizer_configuration: Its integers.
        entropy_model: Kind of the entropy model, 0..255.
        entropy_configuration: Its integers.
    """

    pattern: str
    quantizer: int
    quantizer_configuration: tuple[int, ...]
    entropy_model: int
    entropy_configuration: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """Everything a decoder must know before it reads parameters.

    Args:
        format: The video's format.
        representation: Kind of the network, from a fixed table, 0..255.
        configuration: The network's integers.
        coded_colour: What the network puts out: 0 RGB, 1 YUV 4:4:4.
        groups: How the network's parameters are coded, in the order of the groups.
    """

    format: VideoFormat
    representation: int
    configuration: tuple[int, ...]
    coded_colour: int
    groups: tuple[GroupHeader, ...]

    def to_bytes(self) -> bytes:
        """Return the header section's payload.

        Raises:
            BitstreamError: If a field is out of range; names the field, its value and its range.
        """
        writer = ByteWriter()
        _write_fields(writer, VIDEO_FIELDS, _video_values(self.format))
        _write_fields(writer, MODEL_FIELDS, (self.coded_colour, self.representation))
        _write_configuration(writer, self.configuration, "configuration")
        writer.uvarint(check_range(len(self.groups), 0, MAX_GROUPS, "header field 'number of groups'"))
        for group in self.groups:
            _write_group(writer, group)
        return writer.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "header") -> "Header":
        """Return the header that `to_bytes` wrote.

        Args:
            data: The header section's payload.
            source: Where it is from, for messages.

        Raises:
            BitstreamError: If a field is missing or out of range, or bytes are left over.
        """
        reader = ByteReader(data, source)
        video = _read_video(reader)
        coded_colour, representation = _read_fields(reader, MODEL_FIELDS)
        configuration = _read_configuration(reader, "configuration")
        count = reader.uvarint("header field 'number of groups'", 0, MAX_GROUPS)
        groups = tuple(_read_group(reader) for _ in range(count))
        reader.finish()
        return cls(video, representation, configuration, coded_colour, groups)


def _video_values(video: VideoFormat) -> tuple[int, ...]:
    rate = video.rate.numerator, video.rate.denominator
    meaning = video.chroma, video.matrix, video.colour_range
    return (video.width, video.height, video.frames, *rate, video.bit_depth, *meaning)


def _read_video(reader: ByteReader) -> VideoFormat:
    width, height, frames, numerator, denominator, bit_depth, *meaning = _read_fields(reader, VIDEO_FIELDS)
    chroma, matrix, colour_range = Chroma(meaning[0]), ColourMatrix(meaning[1]), ColourRange(meaning[2])
    rate = Fraction(numerator, denominator)
    try:
        return VideoFormat(width, height, frames, rate, bit_depth, chroma, matrix, colour_range)
    except ValueError as error:
        raise BitstreamError(f"{reader.source}: the header's video format is impossible: {error}") from error


def _write_fields(writer: ByteWriter, fields: tuple[Field, ...], values: tuple[int, ...]) -> None:
    for field, value in zip(fields, values, strict=True):
        writer.uvarint(check_range(value, field.low, field.high, f"header field '{field.name}'"))


def _read_fields(reader: ByteReader, fields: tuple[Field, ...]) -> list[int]:
    return [reader.uvarint(f"header field '{field.name}'", field.low, field.high) for field in fields]


def _write_configuration(writer: ByteWriter, values: tuple[int, ...], name: str) -> None:
    writer.uvarint(check_range(len(values), 0, MAX_CONFIGURATION, f"header field 'length of {name}'"))
    limit = MAX_CONFIGURATION_VALUE
    for index, value in enumerate(values):
        writer.svarint(check_range(value, -limit, limit, f"header field '{name}[{index}]'"))


def _read_configuration(reader: ByteReader, name: str) -> tuple[int, ...]:
    count = reader.uvarint(f"header field 'length of {name}'", 0, MAX_CONFIGURATION)
    limit = MAX_CONFIGURATION_VALUE
    return tuple(reader.svarint(f"header field '{name}[{i}]'", -limit, limit) for i in range(count))


def _write_group(writer: ByteWriter, group: GroupHeader) -> None:
    writer.text(group.pattern, MAX_PATTERN, "header field 'group pattern'")
    _write_fields(writer, (_QUANTIZER,), (group.quantizer,))
    _write_configuration(writer, group.quantizer_configuration, "quantizer configuration")
    _write_fields(writer, (_ENTROPY_MODEL,), (group.entropy_model,))
    _write_configuration(writer, group.entropy_configuration, "entropy model configuration")


def _read_group(reader: ByteReader) -> GroupHeader:
    pattern = reader.text("header field 'group pattern'", MAX_PATTERN)
    (quantizer,) = _read_fields(reader, (_QUANTIZER,))
    quantizer_configuration = _read_configuration(reader, "quantizer configuration")
    (entropy_model,) = _read_fields(reader, (_ENTROPY_MODEL,))
    entropy_configuration = _read_configuration(reader, "entropy model configuration")
    return GroupHeader(pattern, quantizer, quantizer_configuration, entropy_model, entropy_configuration)
