"""The `.nvrc` container: named sections with checksums, and an end mark, so that no damage goes unseen.

The layout is specified in docs/bitstream.md.
"""

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from nvrc_components.atomic import atomic_path
from nvrc_components.coding.varint import ByteReader, ByteWriter, check_range
from nvrc_components.errors import BitstreamError, InputError

MAGIC = b"NVRC"
VERSION = 1
MAX_SECTIONS = 1 << 16
MAX_NAME = 64
_END = 0
_PREFIX = len(MAGIC) + 1


class SectionKind(IntEnum):
    """What a section holds; 0 is the end mark."""

    HEADER = 1
    SIDE = 2
    GRIDS = 3
    WEIGHTS = 4
    GROUP = 5


@dataclass(frozen=True)
class Section:
    """A piece of the file.

    Args:
        kind: What it holds.
        payload: Its content.
        name: Tells sections of one kind apart; empty where there is one. At most 64 bytes of UTF-8.
    """

    kind: SectionKind
    payload: bytes
    name: str = ""

    @property
    def label(self) -> str:
        """The kind, and the name if there is one, as messages show it: `grids` or `grids:base`."""
        return _label(self.kind, self.name)

    def framed(self) -> bytes:
        """Return the section as it lies in the file, so its length is its share of the file.

        Raises:
            BitstreamError: If the name is too long.
        """
        writer = ByteWriter()
        writer.u8(self.kind)
        writer.text(self.name, MAX_NAME, "section name")
        writer.uvarint(len(self.payload))
        writer.bytes(self.payload)
        writer.u32(zlib.crc32(writer.to_bytes()))
        return writer.to_bytes()


def _label(kind: int, name: str) -> str:
    label = SectionKind(kind).name.lower() if kind in list(SectionKind) else f"kind {kind}"
    return f"{label}:{name}" if name else label


def pack(sections: Iterable[Section]) -> bytes:
    """Return the bytes of a container.

    Raises:
        BitstreamError: If two sections have the same kind and name, a name is too long, or there are more
            than 65536.
    """
    writer = ByteWriter()
    writer.bytes(MAGIC)
    writer.u8(VERSION)
    seen: set[str] = set()
    for section in sections:
        if section.label in seen:
            raise BitstreamError(f"section '{section.label}' would be written twice")
        seen.add(section.label)
        writer.bytes(section.framed())
    writer.u8(_END)
    writer.uvarint(check_range(len(seen), 0, MAX_SECTIONS, "number of sections"))
    writer.u32(zlib.crc32(writer.to_bytes()))
    return writer.to_bytes()


def unpack(data: bytes, source: str = "container") -> list[Section]:
    """Return the sections of a container, in file order, after checking all of it.

    Args:
        data: The bytes of the container.
        source: Where they are from, for messages.

    Raises:
        BitstreamError: If the bytes are foreign, newer, truncated or corrupted in any way.
    """
    reader = ByteReader(data, source)
    _check_prefix(reader.bytes(min(_PREFIX, reader.remaining), "prefix"), source)
    sections: list[Section] = []
    seen: set[str] = set()
    while True:
        start = reader.position
        kind = reader.u8("section kind or end mark")
        if kind == _END:
            break
        section = _read_section(reader, data, start, kind)
        if section.label in seen:
            raise BitstreamError(f"{source}: section '{section.label}' is there twice")
        seen.add(section.label)
        sections.append(section)
    count = reader.uvarint("section count", 0, MAX_SECTIONS)
    checked = zlib.crc32(memoryview(data)[: reader.position])
    if reader.u32("end mark") != checked or count != len(sections):
        raise BitstreamError(f"{source}: the end mark is corrupted: checksum or number of sections differs")
    reader.finish()
    return sections


def _check_prefix(prefix: bytes, source: str) -> None:
    if not prefix or not MAGIC.startswith(prefix[: len(MAGIC)]):
        raise BitstreamError(f"{source}: not an NVRC file")
    if len(prefix) < _PREFIX:
        raise BitstreamError(f"{source}: truncated: only {len(prefix)} bytes long")
    version = prefix[-1]
    if version > VERSION:
        raise BitstreamError(
            f"{source}: made by a newer version {version}; this program reads up to {VERSION}: update it"
        )
    if version < VERSION:
        raise BitstreamError(f"{source}: container version {version} does not exist")


def _read_section(reader: ByteReader, data: bytes, start: int, kind: int) -> Section:
    shown = _label(kind, "")
    raw_name = reader.bytes(reader.uvarint(f"name length of section '{shown}'", 0, MAX_NAME), "section name")
    name = raw_name.decode("utf-8", errors="replace")
    shown = _label(kind, name)
    payload = reader.bytes(reader.uvarint(f"length of section '{shown}'"), f"section '{shown}'")
    checked = zlib.crc32(memoryview(data)[start : reader.position])
    if reader.u32(f"checksum of section '{shown}'") != checked:
        raise BitstreamError(f"{reader.source}: section '{shown}' is corrupted: checksum differs")
    if kind not in list(SectionKind):
        raise BitstreamError(f"{reader.source}: section '{shown}' is of a kind this program does not know")
    if name.encode() != raw_name:
        raise BitstreamError(f"{reader.source}: section '{shown}' has a name that is not valid UTF-8")
    return Section(SectionKind(kind), payload, name)


def write_container(sections: Iterable[Section], path: str | os.PathLike[str], force: bool = False) -> int:
    """Write a container that appears whole or not at all, and return its size in bytes.

    Args:
        sections: What to write.
        path: The file.
        force: Replace an existing file.

    Raises:
        BitstreamError: If the sections do not form a container.
        InputError: If the file exists and `force` is not set, or cannot be written.
    """
    data = pack(sections)
    with atomic_path(path, force) as temporary:
        temporary.write_bytes(data)
    return len(data)


def read_container(path: str | os.PathLike[str]) -> list[Section]:
    """Read a container and check all of it.

    Raises:
        InputError: If the file cannot be read.
        BitstreamError: If it is foreign, newer, truncated or corrupted; the message names the file.
    """
    source = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            prefix = file.read(_PREFIX)
            # Before the rest is read: what is not ours may be very large.
            _check_prefix(prefix, source)
            data = prefix + file.read()
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror})") from error
    return unpack(data, source)
