"""The `.nvrc` file: the container and its header."""

from nvrc_components.bitstream.container import (
    Section,
    SectionKind,
    pack,
    read_container,
    unpack,
    write_container,
)
from nvrc_components.bitstream.header import GroupHeader, Header

__all__ = [
    "GroupHeader",
    "Header",
    "Section",
    "SectionKind",
    "pack",
    "read_container",
    "unpack",
    "write_container",
]
