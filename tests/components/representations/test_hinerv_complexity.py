"""HiNeRV's parameters and multiply-accumulates against the published tables.

NVRC (arXiv 2409.07414) counts as parameters everything its encoder writes: those of the network and those of its codec.
The tests count the codec of the paper beside our network. Each frame is charged the stem over whole base grids.
"""

from dataclasses import replace
from math import ceil

import pytest
import torch

from nvrc_components.representations.complexity import complexity
from nvrc_components.representations.hinerv import HiNerv, hinerv_config
from nvrc_components.representations.hinerv_presets import NVRC, ORIGINAL

PIXELS = 1920 * 1080


def at_1080p(size, version=NVRC, frames=600):
    """A network for a published clip: 600 frames, or the 150 of MCL-JCV; shapes alone, without memory."""
    with torch.device("meta"):
        return HiNerv(hinerv_config(size, frames, 1080, 1920, version))


def codec_parameters(model):
    """Numbers in the steps, priors and context networks of NVRC's codec (section 3.2 and its code)."""
    named = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    base = [shape for name, shape in named.items() if name.startswith("stem.") and name.endswith("grid")]
    weights = [shape for shape in named.values() if len(shape) > 1 and shape not in base]
    return sum(map(_context_network, base)) + sum(map(_block_steps, base)) + sum(map(_dual_axis, weights))


def _context_network(shape):
    """Three masked 5x5x5 convolutions for each channel on its own: 1 to 8, 8 to 8, and 8 to mean and log-scale.

    The first sees 62 positions, the others the centre as well. All have biases; two are followed by an affine norm.
    """
    convolutions = 62 * 1 * 8 + 63 * 8 * 8 + 63 * 8 * 2
    biases = 8 + 8 + 2
    norms = 2 * (8 + 8)
    return shape[1] * (convolutions + biases + norms)


def _block_steps(shape):
    """A step for each channel of each block of 16x8x8."""
    slices, channels, height, width = shape
    return channels * ceil(slices / 16) * ceil(height / 8) * ceil(width / 8)


def _dual_axis(shape):
    """Step, mean and scale of every row and every column that holds 128 elements, else one of each for the tensor."""
    rows = shape[0]
    columns = torch.Size(shape[1:]).numel()
    return 3 * (max(1, rows * (columns >= 128) + columns * (rows >= 128)))


# T_grid is 200 at 600 frames; of S1, which codes MCL-JCV only, 50 at 150. "alone" is the network without the codec.
@pytest.mark.parametrize(
    ("size", "frames", "slices", "alone", "published"),
    [
        ("s1", 150, 50, 2.03, 2.14),
        ("s2", 600, 200, 6.12, 6.35),
        ("s3", 600, 200, 13.75, 14.19),
        ("s4", 600, 200, 30.57, 31.41),
    ],
)
def test_parameters_of_nvrcs_networks_are_the_published(size, frames, slices, alone, published):
    model = at_1080p(size, frames=frames)
    assert model.config.grid_slices == slices
    parameters = complexity(model)[-1].parameters
    assert parameters / 1e6 == pytest.approx(alone, rel=0.01)
    assert (parameters + codec_parameters(model)) / 1e6 == pytest.approx(published, rel=0.001)


@pytest.mark.parametrize(("size", "giga"), [("s2", 359.6), ("s3", 842.8), ("s4", 1929.0)])
def test_operations_of_nvrcs_networks_are_the_published(size, giga):
    stem, *_, total = complexity(at_1080p(size))
    assert total.published_macs_per_pixel * PIXELS / 1e9 == pytest.approx(giga, rel=0.005)
    # What a frame really takes here is the stem around its own slices, far below a hundredth of the whole.
    assert stem.macs_per_pixel < 0.01 * stem.published_macs_per_pixel
    assert total.macs_per_pixel - stem.macs_per_pixel == pytest.approx(
        total.published_macs_per_pixel - stem.published_macs_per_pixel
    )


@pytest.mark.parametrize(
    ("size", "mega", "giga"),
    [("s", 3.19, 181), ("m", 6.49, 368), ("l", 12.82, 718), ("xl", 25.65, 1380), ("xxl", 50.73, 2650)],
)
def test_the_originals_parameters_and_operations_are_the_published(size, mega, giga):
    model = at_1080p(size, ORIGINAL)
    assert model.config.grid_slices == 150
    total = complexity(model)[-1]
    assert total.parameters / 1e6 == pytest.approx(mega, rel=0.001)
    assert total.published_macs_per_pixel * PIXELS / 1e9 == pytest.approx(giga, rel=0.01)


def test_the_small_network_of_the_peer_comparison_takes_two_billion_operations_a_frame():
    config = replace(hinerv_config("w96", 32, 288, 480), grid_slices=16)
    assert config.base_grids()[0] == (16, 2, 12, 20)
    with torch.device("meta"):
        total = complexity(HiNerv(config))[-1]
    assert total.published_macs_per_pixel * 288 * 480 / 1e9 == pytest.approx(1.97, rel=0.02)
