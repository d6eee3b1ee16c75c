from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.bitstream.header import GroupHeader, Header
from nvrc_components.coding.varint import ByteWriter
from nvrc_components.errors import BitstreamError
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

FILM = VideoFormat(1920, 1080, 600, Fraction(120), 8, Chroma.YUV420, ColourMatrix.BT709, ColourRange.LIMITED)
GROUP = GroupHeader("grids.*", 1, (16, 8, 8), 2, (-3,))
HEADER = Header(FILM, 1, (3, 2, 2, 2, -7, 1 << 40), 1, (GROUP, GroupHeader("*", 2, (), 1, ())))

COUNT = st.integers(1, 2**32 - 1)
IDS = st.integers(0, 255)
CONFIGURATIONS = st.lists(st.integers(-(2**40), 2**40), max_size=20).map(tuple)
FORMATS = st.builds(
    VideoFormat,
    width=st.integers(1, 65535),
    height=st.integers(1, 65535),
    frames=COUNT,
    rate=st.builds(Fraction, COUNT, COUNT),
    bit_depth=st.integers(8, 16),
    chroma=st.sampled_from(Chroma),
    matrix=st.sampled_from(ColourMatrix),
    colour_range=st.just(ColourRange.FULL),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
GROUPS = st.builds(GroupHeader, TEXTS, IDS, CONFIGURATIONS, IDS, CONFIGURATIONS)
HEADERS = st.builds(Header, FORMATS, IDS, CONFIGURATIONS, st.integers(0, 1), st.lists(GROUPS, max_size=4).map(tuple))


@given(HEADERS)
def test_round_trip(header):
    assert Header.from_bytes(header.to_bytes()) == header


def test_bytes_are_pinned():
    video = "800f" + "b808" + "d804" + "78" + "01" + "08" + "00" + "01" + "00"
    model = "01" + "01" + "06" + "06" + "04" + "04" + "04" + "0d" + "808080808040"
    groups = "02" + "0767726964732e2a" + "01" + "03201010" + "02" + "0105" + "012a" + "02" + "00" + "01" + "00"
    assert HEADER.to_bytes().hex() == video + model + groups


def test_every_truncation_is_detected_and_names_a_field():
    data = HEADER.to_bytes()
    for length in range(len(data)):
        with pytest.raises(BitstreamError, match=r"^film: truncated: .*header field '"):
            Header.from_bytes(data[:length], "film")


@given(st.binary(max_size=120), st.integers(0, 60))
def test_arbitrary_bytes_give_a_header_or_a_bitstream_error(data, keep):
    for candidate in (data, HEADER.to_bytes()[:keep] + data):
        with suppress(BitstreamError):
            header = Header.from_bytes(candidate)
            assert Header.from_bytes(header.to_bytes()) == header


VALID = [64, 48, 10, 30, 1, 8, 0, 1, 0, 0, 0, 0, 0]
FIELDS = [
    (0, "width", 0, "1..65535"),
    (0, "width", 65536, "1..65535"),
    (1, "height", 70000, "1..65535"),
    (2, "frames", 0, "1..4294967295"),
    (3, "rate numerator", 0, "1..4294967295"),
    (4, "rate denominator", 2**32, "1..4294967295"),
    (5, "bit depth", 7, "8..16"),
    (6, "chroma", 4, "0..3"),
    (7, "matrix", 3, "0..2"),
    (8, "colour range", 2, "0..1"),
    (9, "coded colour", 2, "0..1"),
    (10, "representation", 256, "0..255"),
    (11, "length of configuration", 4097, "0..4096"),
    (12, "number of groups", 257, "0..256"),
]


@pytest.mark.parametrize(("position", "name", "value", "interval"), FIELDS)
def test_fields_out_of_range_are_named_with_value_and_range_when_read(position, name, value, interval):
    writer = ByteWriter()
    for index, valid in enumerate(VALID):
        writer.uvarint(value if index == position else valid)
    with pytest.raises(BitstreamError) as caught:
        Header.from_bytes(writer.to_bytes(), "film")
    assert str(caught.value) == f"film: header field '{name}' is {value}, outside {interval}"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (replace(HEADER, representation=256), "'representation' is 256, outside 0..255"),
        (replace(HEADER, coded_colour=-1), "'coded colour' is -1, outside 0..1"),
        (replace(HEADER, configuration=(0,) * 4097), "'length of configuration' is 4097, outside 0..4096"),
        (replace(HEADER, configuration=(0, 2**40 + 1)), "'configuration[1]' is 1099511627777, outside"),
        (replace(HEADER, groups=(GROUP,) * 257), "'number of groups' is 257, outside 0..256"),
        (replace(HEADER, groups=(replace(GROUP, quantizer=300),)), "'quantizer' is 300, outside 0..255"),
        (replace(HEADER, groups=(replace(GROUP, entropy_model=-2),)), "'entropy model' is -2, outside 0..255"),
        (replace(HEADER, groups=(replace(GROUP, pattern="x" * 1025),)), "'group pattern' is 1025, outside"),
    ],
)
def test_fields_out_of_range_are_not_written(header, message):
    with pytest.raises(BitstreamError) as caught:
        header.to_bytes()
    assert message in str(caught.value)


def test_impossible_combinations_and_leftovers_are_refused():
    writer = ByteWriter()
    for value in [*VALID[:6], Chroma.RGB, 1, ColourRange.LIMITED, *VALID[9:]]:
        writer.uvarint(value)
    with pytest.raises(BitstreamError, match="film: the header's video format is impossible: RGB"):
        Header.from_bytes(writer.to_bytes(), "film")
    with pytest.raises(BitstreamError, match="film: 1 bytes too many"):
        Header.from_bytes(HEADER.to_bytes() + b"\x00", "film")
