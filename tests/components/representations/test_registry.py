"""Networks as decoders build them: laid out, checked, then given memory, and nothing more."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from nvrc_components.errors import BitstreamError
from nvrc_components.representations import registry
from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.representations.registry import HINERV, NVRC_LITE, allocate, build, kind_of, plan
from tests.golden.hashes import path_of

HINERV_CONFIG = HiNervConfig(7, 30, 42, 3, widths=(6, 4), depths=(1, 1), strides=(3, 2), expansion=(1, 2), shortcut=1)
NETWORKS = {
    "NVRC-Lite": (NVRC_LITE, NvrcLite, NvrcLiteConfig(7, 30, 42, widths=(8, 6, 4, 4))),
    "HiNeRV 1": (HINERV, HiNerv, replace(HINERV_CONFIG, version=1)),
    "HiNeRV 2": (HINERV, HiNerv, HINERV_CONFIG),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_built_network_renders_as_one_that_was_made_does_once_it_has_its_parameters(name):
    kind, make, config = NETWORKS[name]
    torch.manual_seed(0)
    made, built = make(config), build(kind, config.to_ints())
    assert not any(parameter.any() for parameter in built.parameters())
    built.load_state_dict(made.state_dict())
    frames = torch.arange(config.frames)
    assert torch.equal(built(frames), made(frames))
    assert built.windows([1, 4]) == made.windows([1, 4])


@pytest.mark.parametrize("name", NETWORKS)
def test_building_draws_no_random_numbers(name):
    kind, _, config = NETWORKS[name]
    before = torch.random.get_rng_state()
    build(kind, config.to_ints())
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", ["mixed", "hinerv"])
def test_loading_a_file_does_not_load_a_compiler(name):
    code = (
        "import sys, nvrc_components as n; n.load(sys.argv[1]); print({'torch._dynamo', 'sympy'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, str(path_of(name))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_network_for_more_memory_than_there_is_is_refused_before_it_takes_any(monkeypatch):
    network = plan(NVRC_LITE, NvrcLiteConfig(600, 1080, 1920).to_ints())
    largest = 75 * 540 * 960
    monkeypatch.setattr(registry, "machine_memory", lambda: 72.0 * largest)
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: pytest.fail("memory was taken"))
    with pytest.raises(BitstreamError, match=r"the header asks for 79\d+ parameters; .* takes 2\.9 GiB .* has 2\.6$"):
        allocate(network)


def test_a_long_video_in_4k_fits_into_a_file_and_a_network_that_no_decoder_takes_into_none():
    assert sum(p.numel() for p in plan(NVRC_LITE, NvrcLiteConfig(600, 2160, 3840).to_ints()).parameters()) > 2**28
    with torch.device("meta"):
        huge = NvrcLite(NvrcLiteConfig(1200, 2160, 3840))
    with pytest.raises(BitstreamError, match=r"the network has 63\d+ parameters, a decoder takes up to 536870912"):
        kind_of(huge)


def test_tables_of_a_great_many_frames_count(monkeypatch):
    network = plan(HINERV, replace(HINERV_CONFIG, frames=1_000_000, grid_slices=4).to_ints())
    numbers = [parameter.numel() for parameter in network.parameters()]
    enough = 4 * sum(numbers) + 72 * max(numbers) + sum(buffer.nbytes for buffer in network.buffers())
    monkeypatch.setattr(registry, "machine_memory", lambda: float(enough))  # but for making them
    with pytest.raises(BitstreamError, match="GiB of memory"):
        allocate(network)
