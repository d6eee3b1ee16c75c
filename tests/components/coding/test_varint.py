from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.coding.varint import ByteReader, ByteWriter
from nvrc_components.errors import BitstreamError

READS = ["uvarint", "svarint", "u8", "u32", "text"]
FIXED = {"u8": 8, "u32": 32}


def written(method: str, value) -> bytes:
    writer = ByteWriter()
    getattr(writer, method)(value)
    return writer.to_bytes()


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("uvarint", 0, "00"),
        ("uvarint", 127, "7f"),
        ("uvarint", 128, "8001"),
        ("uvarint", 300, "ac02"),
        ("uvarint", 2**64 - 1, "ff" * 9 + "01"),
        ("svarint", 0, "00"),
        ("svarint", -1, "01"),
        ("svarint", 1, "02"),
        ("svarint", -64, "7f"),
        ("svarint", -(2**63), "ff" * 9 + "01"),
        ("u8", 255, "ff"),
        ("u32", 0x12345678, "78563412"),
        ("text", "né", "036ec3a9"),
    ],
)
def test_bytes_are_pinned(method, value, expected):
    assert written(method, value).hex() == expected
    assert getattr(ByteReader(bytes.fromhex(expected), "test"), method)("it") == value


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(-(2**63), 2**63 - 1)), st.text(max_size=200))
def test_round_trip(unsigned, signed, text):
    writer = ByteWriter()
    for value in unsigned:
        writer.uvarint(value)
    writer.text(text)
    for value in signed:
        writer.svarint(value)
    reader = ByteReader(writer.to_bytes(), "test")
    assert [reader.uvarint("u") for _ in unsigned] == unsigned
    assert reader.text("t") == text
    assert [reader.svarint("s") for _ in signed] == signed
    reader.finish()


@given(st.binary(max_size=24), st.lists(st.sampled_from(READS), max_size=8))
def test_arbitrary_bytes_give_values_or_bitstream_errors(data, methods):
    reader = ByteReader(data, "test")
    with suppress(BitstreamError):
        for method in methods:
            getattr(reader, method)("it")
        reader.finish()
    assert 0 <= reader.remaining <= len(data)
    assert reader.position + reader.remaining == len(data)


@pytest.mark.parametrize("method", READS)
def test_truncation_names_the_source_and_what_was_being_read(method):
    data = written(method, "word" if method == "text" else 1)
    with pytest.raises(BitstreamError, match=r"film\.nvrc: truncated: .*the step"):
        getattr(ByteReader(data[:-1], "film.nvrc"), method)("the step")


@pytest.mark.parametrize("data", ["8000", "ff" * 9 + "02", "80" * 10 + "01", "ff" * 12])
def test_overlong_and_overflowing_varints_are_refused(data):
    with pytest.raises(BitstreamError, match="test: it is not a valid variable-length integer"):
        ByteReader(bytes.fromhex(data), "test").uvarint("it")


def test_values_outside_the_range_asked_for_are_refused():
    with pytest.raises(BitstreamError, match=r"^test: width is 9, outside 10\.\.20$"):
        ByteReader(b"\x09", "test").uvarint("width", 10, 20)
    with pytest.raises(BitstreamError, match=r"^test: shift is -5, outside -4\.\.4$"):
        ByteReader(b"\x09", "test").svarint("shift", -4, 4)


@pytest.mark.parametrize(
    ("method", "value"),
    [("uvarint", -1), ("uvarint", 2**64), ("svarint", 2**63), ("svarint", -(2**63) - 1)]
    + [(method, value) for method, bits in FIXED.items() for value in (-1, 1 << bits)]
    + [("text", "x" * 1025), ("text", "\ud800")],
)
def test_values_that_do_not_fit_are_not_written(method, value):
    writer = ByteWriter()
    with pytest.raises(BitstreamError):
        getattr(writer, method)(value)
    assert writer.to_bytes() == b""


def test_bad_strings_are_refused():
    with pytest.raises(BitstreamError, match="not valid UTF-8"):
        ByteReader(b"\x01\xff", "test").text("name")
    with pytest.raises(BitstreamError, match=r"length of name is 5, outside 0\.\.4"):
        ByteReader(b"\x05hello", "test").text("name", 4)


def test_leftovers_are_refused_and_rest_takes_them():
    reader = ByteReader(memoryview(b"\x01\x02\x03"), "test")
    assert reader.bytes(1, "first") == b"\x01"
    with pytest.raises(BitstreamError, match="test: 2 bytes too many at the end"):
        reader.finish()
    assert reader.rest() == b"\x02\x03"
    reader.finish()
