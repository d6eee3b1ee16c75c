"""What a recipe says about a network, and what the clip adds."""

from fractions import Fraction

import pytest

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.modules.networks import HiNervNetwork

CLIP = VideoFormat(480, 288, 32, Fraction(25), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)


def test_a_recipes_options_override_the_preset_and_the_clip_gives_the_rest():
    options = HiNervNetwork("w32", widths=(96, 48, 24, 12), grid_slices=16, grid_channels=2, local_channels=4)
    config = options.build(CLIP).config
    assert (config.frames, config.height, config.width) == (32, 288, 480)
    assert config == HiNervNetwork("w96", grid_slices=16).build(CLIP).config
    assert config.base_grids() == [(16, 2, 12, 20), (8, 4, 6, 10), (4, 8, 3, 5), (2, 16, 1, 2)]
    assert HiNervNetwork("w96", local_channels=0, shortcut=True).build(CLIP).config.local_channels == 0
    assert HiNervNetwork("w48", version=1).build(CLIP).config.strides == (5, 3, 2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "s9"}, "model.network: size: 's9' is not one of auto, w32"),
        ({"version": 3}, "model.network: version: 3"),
        ({"widths": (8, 4)}, "model.network: depths: 2 entries are needed"),
        ({"grid_slices": -1}, "model.network: grid_slices: -1"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options, message):
    with pytest.raises(InputError, match=message):
        HiNervNetwork(**options).build(CLIP)
