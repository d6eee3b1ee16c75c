"""Whether a file gives back what its encoder saw."""

from fractions import Fraction

import pytest
import torch

from nvrc_components.bitstream.video_file import load, save
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import GaussianPrior
from nvrc_components.quantizers import TensorQuantizer
from nvrc_components.representations.nvrc_lite import NvrcLite, nvrc_lite_config
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.evaluation.verification import verify_file


@pytest.fixture
def file(tmp_path):
    fmt = VideoFormat(64, 48, 3, Fraction(25), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)
    network = NvrcLite(nvrc_lite_config("xxs", 3, 48, 64))
    save(CompressedModule(network, [Group("all", "*", TensorQuantizer, GaussianPrior)]), fmt, tmp_path / "a.nvrc")
    return tmp_path / "a.nvrc"


def test_same_frames_pass_and_are_seen_in_order(file):
    frames, seen = list(load(file).frames()), []
    state = torch.get_rng_state()
    opened, seconds, difference = verify_file(file, frames.__getitem__, seen=seen.append)
    assert difference == 0
    assert torch.equal(torch.get_rng_state(), state)
    assert opened.format.frames == len(seen) == 3
    assert all(torch.equal(one, other) for one, other in zip(seen, frames, strict=True))
    assert seconds > 0


def test_a_difference_of_one_value_is_told(file):
    frames = list(load(file).frames())
    frames[1][0, 1, 5, 7] ^= 1
    assert verify_file(file, frames.__getitem__)[2] == 1


def test_a_wrong_value_is_found(file):
    frames = list(load(file).frames())
    frames[2][0, 1, 5, 7] ^= 4
    with pytest.raises(RuntimeError, match="frame 2 decodes to other values"):
        verify_file(file, frames.__getitem__)


def test_another_kind_of_frame_is_found(file):
    frames = list(load(file).frames())
    with pytest.raises(RuntimeError, match="frame 0"):
        verify_file(file, lambda index: tuple(frames[index][:, 0] for _ in range(3)))
