"""A file of a small network: frames, random access, damage, contradictions, and a bare decoder's frames."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvrc_components.bitstream.container import Section, SectionKind, pack, read_container
from nvrc_components.bitstream.header import Header
from nvrc_components.bitstream.video_file import CodedColour, load, save, to_code_values
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.side import sides_of
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

FORMAT = VideoFormat(29, 26, 5, Fraction(25), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)
YUV = replace(FORMAT, chroma=Chroma.YUV420, colour_range=ColourRange.LIMITED, bit_depth=10)
GROUPS = [
    Group("grids", "*features.grid", partial(BlockQuantizer, log2_start=-3.0), OctreeContext),
    Group("local", "*.grid", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
]


def made(groups=GROUPS, seed=0):
    torch.manual_seed(seed)
    network = NvrcLite(NvrcLiteConfig(FORMAT.frames, FORMAT.height, FORMAT.width, widths=(12, 8, 6, 4)))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    compressed = CompressedModule(network, groups).eval()
    for side in sides_of([compressed]):
        side.value.data.add_(torch.randn(side.value.shape) * 0.3)
    return compressed


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.nvrc"
    save(made(), FORMAT, path)
    return path


@pytest.fixture
def damaged(film, tmp_path):
    """Return a function that writes the film's sections with some replaced, checksums and all."""

    def write(changes, drop=()):
        sections = [replace(s, payload=changes.get(s.label, s.payload)) for s in read_container(film)]
        path = tmp_path / "damaged.nvrc"
        path.write_bytes(pack(s for s in sections if s.label not in drop))
        return path

    return write


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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_forged_sections_with_sound_checksums_load_or_raise_a_bitstream_error(film, damaged, data):
    section = data.draw(st.sampled_from(read_container(film)))
    payload = bytearray(section.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(
            st.integers(0, min(len(payload) - 1, 80) if data.draw(st.booleans()) else len(payload) - 1)
        )
        payload[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload))) if data.draw(st.booleans()) else len(payload)
    path = damaged({section.label: bytes(payload[:cut])})
    try:
        video = load(path)
    except BitstreamError as error:
        message = str(error)
    else:
        message = f"{path}: {next(video.frames()).shape}"
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


@pytest.mark.parametrize("label", ["header", "side", "group:grids", "group:weights"])
def test_a_missing_section_is_named(damaged, label):
    match = f"section '{label}' is missing" if ":" not in label else "names 3 groups of parameters, the file has 2"
    with pytest.raises(BitstreamError, match=match):
        load(damaged({}, drop=[label]))


def forged(film, **changes):
    header = Header.from_bytes(read_container(film)[0].payload)
    return {"header": replace(header, **changes).to_bytes()}


def test_headers_that_contradict_the_sections_are_refused(film, damaged):
    header = Header.from_bytes(read_container(film)[0].payload)
    grids, local, weights = header.groups
    config = list(header.configuration)
    cases = [
        ({"representation": 77}, "representation kind 77 is unknown"),
        ({"configuration": config[:-1]}, "configuration is damaged"),
        ({"configuration": [*config[:3], 0, *config[4:]]}, "configuration is damaged"),
        ({"configuration": [*config[:4], 1, *config[5:]]}, "the header contradicts itself"),
        ({"format": replace(FORMAT, frames=6)}, "the header contradicts itself: a video of 6 frames"),
        ({"format": replace(FORMAT, width=30)}, "the header contradicts itself"),
        ({"groups": (grids, weights)}, "names 2 groups of parameters, the file has 3"),
        ({"groups": (replace(grids, quantizer=9), local, weights)}, "group 'grids' uses quantizer 9"),
        ({"groups": (replace(grids, entropy_model=200), local, weights)}, "entropy model 200"),
        ({"groups": (replace(grids, pattern="none"), local, weights)}, "not the network's"),
        ({"groups": (grids, local, replace(weights, pattern="stem*"))}, "matches none of the group patterns"),
        ({"groups": (replace(grids, pattern="*"), local, weights)}, "for \\(|not a tensor"),
        ({"groups": (replace(grids, quantizer_configuration=()), local, weights)}, "BlockQuantizer"),
        ({"groups": (replace(grids, entropy_configuration=(4, 4, 4, 7, 0)), local, weights)}, "passes is 7"),
        ({"groups": (replace(grids, entropy_configuration=(64, 64, 64, 10, 0)), local, weights)}, "more than 32768"),
        (
            {"groups": (replace(grids, entropy_model=4, entropy_configuration=(33, 32, 32, 8)), local, weights)},
            "more than 32768",
        ),
        (
            {"groups": (replace(grids, entropy_model=4, entropy_configuration=(32768, 1, 1, 8)), local, weights)},
            "waves, more than 1024",
        ),
        ({"groups": (grids, replace(local, quantizer=3, quantizer_configuration=(4, 8, 8)), weights)}, "group|side"),
    ]
    for changes, message in cases:
        with pytest.raises(BitstreamError, match=message):
            load(damaged(forged(film, **{k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()})))


def test_a_header_that_asks_for_all_memory_is_refused_at_once(film, damaged):
    config = list(Header.from_bytes(read_container(film)[0].payload).configuration)
    config[:3] = [1 << 24, 1 << 16, 1 << 16]
    with pytest.raises(BitstreamError, match="the header asks for"):
        load(damaged(forged(film, configuration=tuple(config))))


def test_a_surplus_section_of_another_kind_is_harmless(film, tmp_path):
    sections = read_container(film)
    (tmp_path / "more.nvrc").write_bytes(pack([*sections, Section(SectionKind.WEIGHTS, b"?")]))
    assert torch.equal(next(load(tmp_path / "more.nvrc").frames()), next(load(film).frames()))


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
