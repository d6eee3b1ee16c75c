import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.bitstream.container import (
    Section,
    SectionKind,
    pack,
    read_container,
    unpack,
    write_container,
)
from nvrc_components.errors import BitstreamError, InputError

SMALL = [
    Section(SectionKind.HEADER, b"\x00\x01\x02"),
    Section(SectionKind.GRIDS, bytes(range(150))),
    Section(SectionKind.GROUP, b"", "stem"),
]
NAMES = st.text(st.characters(codec="utf-8"), max_size=16)
SECTIONS = st.lists(
    st.builds(Section, st.sampled_from(SectionKind), st.binary(max_size=300), NAMES),
    max_size=6,
    unique_by=lambda s: (s.kind, s.name),
)


@given(SECTIONS)
def test_round_trip_and_the_shares_add_up(sections):
    data = pack(sections)
    assert unpack(data) == sections
    assert sum(len(s.framed()) for s in sections) + 11 == len(data)
    assert all(len(s.framed()) - len(s.payload) - len(s.name.encode()) <= 12 for s in sections)


def test_bytes_are_pinned():
    data = pack([Section(SectionKind.SIDE, b"abc", "x")])
    assert data.hex() == "4e56524301" + "02017803616263" + "c281ddd0" + "0001" + "e72c59e9"
    section = data[5:12]
    assert data[12:16] == zlib.crc32(section).to_bytes(4, "little")
    assert data[16:18] == b"\x00\x01"
    assert data[18:] == zlib.crc32(data[:18]).to_bytes(4, "little")


def test_every_truncation_is_detected():
    data = pack(SMALL)
    for length in range(len(data)):
        with pytest.raises(BitstreamError, match=r"^film: "):
            unpack(data[:length], "film")


def test_every_corruption_of_a_byte_is_detected():
    data = pack(SMALL)
    for position in range(len(data)):
        for flip in range(1, 256):
            damaged = bytearray(data)
            damaged[position] ^= flip
            with pytest.raises(BitstreamError, match=r"^film: "):
                unpack(bytes(damaged), "film")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_bitstream_errors(data):
    with pytest.raises(BitstreamError):
        unpack(data)
    with pytest.raises(BitstreamError):
        unpack(b"NVRC\x01" + data)


@given(st.data())
def test_cuts_and_repeats_are_detected(data):
    whole = pack(SMALL)
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, len(whole)))
    with pytest.raises(BitstreamError):
        unpack(whole[:start] + whole[stop:])
    with pytest.raises(BitstreamError):
        unpack(whole[:stop] + whole[start:])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "film: not an NVRC file"),
        (b"\x00\x00\x00\x18ftypmp42", "film: not an NVRC file"),
        (b"NVR", "film: truncated: only 3 bytes long"),
        (b"NVRC\x03", "film: made by a newer version 3; this program reads up to 1: update it"),
        (b"NVRC\x00", "film: container version 0 does not exist"),
        (pack(SMALL)[:40], "film: truncated: section 'grids' needs 150 bytes, 21 are left"),
        (pack(SMALL)[:-4], "film: truncated: end mark needs 4 bytes, 0 are left"),
        (pack(SMALL) + b"\x00", "film: 1 bytes too many at the end"),
        (pack(SMALL).replace(b"\x60", b"\x61"), "film: section 'grids' is corrupted: checksum differs"),
        (pack(SMALL).replace(b"stem", b"stam"), "film: section 'group:stam' is corrupted: checksum differs"),
    ],
)
def test_messages_say_what_is_wrong(data, message):
    with pytest.raises(BitstreamError) as caught:
        unpack(data, "film")
    assert str(caught.value) == message


def test_sound_sections_that_mean_nothing_are_refused():
    def container(section: bytes, times: int = 1) -> bytes:
        body = b"NVRC\x01" + (section + zlib.crc32(section).to_bytes(4, "little")) * times
        body += bytes([0, times])
        return body + zlib.crc32(body).to_bytes(4, "little")

    assert unpack(container(b"\x01\x00\x00")) == [Section(SectionKind.HEADER, b"")]
    with pytest.raises(BitstreamError, match="'kind 99:a' is of a kind this program does not know"):
        unpack(container(b"\x63\x01a\x00"))
    with pytest.raises(BitstreamError, match="not valid UTF-8"):
        unpack(container(b"\x01\x01\xff\x00"))
    with pytest.raises(BitstreamError, match="'header' is there twice"):
        unpack(container(b"\x01\x00\x00", times=2))


def test_sections_that_cannot_be_written_are_refused():
    with pytest.raises(BitstreamError, match="'grids:a' would be written twice"):
        pack([Section(SectionKind.GRIDS, b"1", "a"), Section(SectionKind.GRIDS, b"2", "a")])
    with pytest.raises(BitstreamError, match=r"length of section name is 65, outside 0\.\.64"):
        pack([Section(SectionKind.GRIDS, b"", "x" * 65)])


def test_files_round_trip_and_are_replaced_only_by_force(tmp_path):
    path = tmp_path / "film.nvrc"
    assert write_container(SMALL, path) == path.stat().st_size == len(pack(SMALL))
    assert read_container(path) == SMALL
    with pytest.raises(InputError, match=r"film\.nvrc"):
        write_container(SMALL[:1], path)
    write_container(SMALL[:1], path, force=True)
    assert read_container(path) == SMALL[:1]
    assert [p.name for p in tmp_path.iterdir()] == ["film.nvrc"]


def test_files_that_are_foreign_or_cannot_be_read_are_named(tmp_path):
    foreign = tmp_path / "film.mp4"
    foreign.write_bytes(b"\x00\x00\x00\x18ftypmp42" * 100)
    with pytest.raises(BitstreamError, match=r"film\.mp4: not an NVRC file"):
        read_container(foreign)
    for path in (tmp_path, tmp_path / "missing.nvrc"):
        with pytest.raises(InputError, match="cannot be read"):
            read_container(path)
