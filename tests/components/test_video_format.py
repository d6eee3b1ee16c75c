from dataclasses import replace
from fractions import Fraction

import pytest

from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

FORMAT = VideoFormat(35, 27, 4, Fraction(25), 10, Chroma.YUV420, ColourMatrix.BT709, ColourRange.LIMITED)


def test_derived_sizes_round_chroma_up():
    assert FORMAT.pixels == 4 * 35 * 27
    assert FORMAT.peak == 1023
    assert FORMAT.plane_sizes == ((27, 35), (14, 18), (14, 18))
    assert replace(FORMAT, chroma=Chroma.YUV422).chroma_size == (27, 18)
    assert replace(FORMAT, chroma=Chroma.YUV444).chroma_size == (27, 35)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("height", 65536),
        ("frames", 0),
        ("bit_depth", 7),
        ("bit_depth", 17),
        ("rate", Fraction(0)),
        ("rate", Fraction(-1)),
        ("chroma", Chroma.RGB),
    ],
)
def test_impossible_fields_are_refused(field, value):
    with pytest.raises(ValueError, match=r"must be"):
        replace(FORMAT, **{field: value})
