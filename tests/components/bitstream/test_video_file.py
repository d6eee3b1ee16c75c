"""A file of a small network: frames, random access, damage, and a bare decoder's frames."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvrc_components.bitstream.container import read_container
from nvrc_components.bitstream.video_file import CodedColour, load, save, to_code_values
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import GaussianPrior
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.quantizers import DualAxisQuantizer, TensorQuantizer
from nvrc_components.video_format import Chroma, ColourRange
from tests.components.bitstream.helpers import FORMAT, GROUPS, made

YUV = replace(FORMAT, chroma=Chroma.YUV420, colour_range=ColourRange.LIMITED, bit_depth=10)


def test_frames_are_those_of_the_encoder(film):
    compressed, video = made(), load(film)
    assert film.stat().st_size == sum(len(section.framed()) for section in video.sections) + 11
    assert video.format == FORMAT
    expected = to_code_values(compressed(torch.arange(FORMAT.frames)).detach(), FORMAT, CodedColour.RGB)
    frames = torch.cat(list(video.frames()))
    assert frames.dtype == torch.uint8
    assert frames.shape == (5, 3, 26, 29)
    assert len(frames.unique()) > 64
    # One frame at a time and all at once may differ in the last bit of a float.
    assert (frames.int() - expected.int()).abs().max() <= 1


def test_any_frames_in_any_order_are_the_same_frames(film):
    video = load(film)
    frames = list(video.frames())
    for start, stop in ((4, 5), (1, 3), (0, 1), (2, 0)):
        for offset, frame in enumerate(video.frames(start, stop)):
            assert torch.equal(frame, frames[start + offset])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 3), (4, 2), (0, 6), (5, 0)])
def test_frames_outside_the_video_are_refused(film, start, stop):
    with pytest.raises(InputError, match="outside the video, which has frames 0:5"):
        next(load(film).frames(start, stop))


def test_yuv_video_comes_out_as_planes(tmp_path):
    save(made(), YUV, tmp_path / "film.nvrc", CodedColour.YUV444)
    video = load(tmp_path / "film.nvrc")
    luma, u, v = next(video.frames(2))
    assert (luma.shape, u.shape, v.shape) == ((1, 26, 29), (1, 13, 15), (1, 13, 15))
    assert luma.max() > 255
    assert video.header.coded_colour == CodedColour.YUV444


def test_saving_twice_gives_the_same_bytes_and_loading_gives_them_back(film, tmp_path):
    save(made(), FORMAT, tmp_path / "again.nvrc")
    save(load(film).compressed, FORMAT, tmp_path / "third.nvrc")
    assert film.read_bytes() == (tmp_path / "again.nvrc").read_bytes() == (tmp_path / "third.nvrc").read_bytes()
    with pytest.raises(InputError, match=r"again\.nvrc"):
        save(made(), FORMAT, tmp_path / "again.nvrc")


def test_every_damaged_byte_and_every_truncation_names_the_file(film, tmp_path):
    data, path = film.read_bytes(), tmp_path / "hurt.nvrc"
    for position in range(0, len(data), 41):
        for hurt in (data[:position], data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]):
            path.write_bytes(hurt)
            with pytest.raises(BitstreamError, match=r"hurt\.nvrc: "):
                load(path)


def test_damage_inside_a_section_names_the_section(film, tmp_path):
    data = film.read_bytes()
    for section in read_container(film):
        hurt = bytearray(data)
        hurt[data.index(section.payload) + len(section.payload) // 2] ^= 1
        (tmp_path / "hurt.nvrc").write_bytes(hurt)
        with pytest.raises(BitstreamError, match=rf"hurt\.nvrc: section '{section.label}' is corrupted"):
            load(tmp_path / "hurt.nvrc")


def test_what_no_file_can_hold_is_refused(tmp_path):
    with pytest.raises(BitstreamError, match="Linear has no kind number"):
        save(CompressedModule(torch.nn.Linear(3, 3), GROUPS[-1:]), FORMAT, tmp_path / "a.nvrc")
    with pytest.raises(InputError, match="would contradict itself: a video of 6 frames of 29x26"):
        save(made(), replace(FORMAT, frames=6), tmp_path / "c.nvrc")
    uneven = [Group("all", "*", lambda t: (TensorQuantizer if t.dim() > 1 else DualAxisQuantizer)(t), GaussianPrior)]
    with pytest.raises(InputError, match="'all': its tensors are coded in different ways"):
        save(made(uneven), FORMAT, tmp_path / "b.nvrc")
    assert not list(tmp_path.iterdir())


DECODER = """
import hashlib, sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"lightning", "compressai", "av", "torchmetrics", "nvrc_lightning"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocker())
import torch
from nvrc_components import load

for threads in (1, 2):
    torch.set_num_threads(threads)
    digest = hashlib.sha256()
    for frame in load(sys.argv[1]).frames():
        digest.update(frame.numpy().tobytes())
    print(digest.hexdigest())
"""


def test_a_bare_decoder_gives_the_same_frames_with_any_number_of_threads(film):
    root = Path(__file__).parents[3] / "components"
    command = [sys.executable, "-c", DECODER, str(film)]
    digests = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.split()
    expected = hashlib.sha256()
    for frame in load(film).frames():
        expected.update(frame.numpy().tobytes())
    assert digests == [expected.hexdigest()] * 2
