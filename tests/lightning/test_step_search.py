"""Steps scaled until the file has a size, on a small network with quantisers of every kind."""

import copy
from functools import cache, partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.errors import InputError
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, FixedQuantizer, TensorQuantizer
from nvrc_lightning.file_size import estimated_bytes
from nvrc_lightning.step_search import COARSEST, _Search, scale_to_size

GROUPS = [
    Group("grid", "grid", partial(BlockQuantizer, block=(4, 4, 4), log2_start=-3.0), OctreeContext),
    Group("bias", "*bias", TensorQuantizer, GaussianPrior),
    Group("rest", "*", DualAxisQuantizer, DualAxisGaussian),
]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.grid = nn.Parameter(torch.randn(8, 2, 8, 8))
        self.wide = nn.Linear(160, 24)
        self.last = nn.Linear(24, 3)


def size_of(compressed):
    streams = compressed.compress()
    return len(streams.side) + sum(map(len, streams.groups.values()))


@cache
def network():
    """A module whose side values lie anywhere between the points of their lattice, as trained ones do."""
    torch.manual_seed(0)
    compressed = CompressedModule(Network(), GROUPS).eval()
    for side in compressed.side_tensors():
        side.value.data += 0.2 * torch.rand_like(side.value)
    return compressed


@cache
def untouched():
    """Bytes with the steps as they are."""
    trial = copy.deepcopy(network())
    trial.fit_entropy_models(10)
    trial.coarsen_entropy_models()
    return size_of(trial)


@settings(max_examples=5)
@given(st.floats(0.25, 1.1))
def test_files_come_close_under_the_limit(part):
    limit, trial = int(part * untouched()), copy.deepcopy(network())
    scaling = scale_to_size(trial, partial(size_of, trial), limit, 10)
    assert scaling.size == size_of(trial)
    assert 0.97 * limit <= scaling.size <= limit
    assert (scaling.octaves > 0) == (limit < untouched())


def test_a_size_that_is_right_is_left_alone():
    trial = copy.deepcopy(network())
    scaling = scale_to_size(trial, partial(size_of, trial), int(1.005 * untouched()), 10)
    assert (scaling.octaves, scaling.attempts) == (0.0, 1)


def test_more_than_the_network_can_use_is_not_filled_with_noise():
    trial = copy.deepcopy(network())
    scaling = scale_to_size(trial, partial(size_of, trial), 100 * untouched(), 10)
    assert scaling.octaves == pytest.approx(-2.0, abs=0.01)


def test_a_size_out_of_reach_names_the_smallest_one():
    trial = copy.deepcopy(network())
    with pytest.raises(InputError, match=r"as small as 30 bytes: this network needs \d+ at least; .*--size"):
        scale_to_size(trial, partial(size_of, trial), 30, 10)


def test_a_candidate_learns_nothing_of_how_coarsely_another_was_stored():
    torch.manual_seed(0)
    module = nn.Linear(200, 160)
    with torch.no_grad():
        module.weight.mul_(2.0 ** (torch.arange(160) % 5)[:, None])
    compressed = CompressedModule(module, GROUPS).eval()
    compressed.fit_entropy_models(100)
    sizes = []
    for candidates in ((0.0,), (COARSEST, 0.0)):  # the coarsest leaves nothing but zeros
        trial = copy.deepcopy(compressed)
        search = _Search(trial, partial(size_of, trial), 10**6, 10)
        with torch.no_grad():
            for octaves in candidates:
                search.attempt(octaves)
        sizes.append(search.last.size)
    assert sizes[1] <= 1.02 * sizes[0]


def test_nothing_is_tried_twice():
    torch.manual_seed(0)
    coarse = [Group("all", "*", FixedQuantizer, GaussianPrior)]  # whose steps move in eighths of an octave
    trial = CompressedModule(nn.Linear(200, 100), coarse).eval()
    trial.fit_entropy_models(10)
    trial.coarsen_entropy_models()
    sizes = []

    def size():
        sizes.append(size_of(trial))
        return sizes[-1]

    limit = int(0.9 * size_of(trial))
    scaling = scale_to_size(trial, size, limit, 10)
    assert len(sizes) == scaling.attempts == len(set(sizes))
    assert 0.9 * limit <= scaling.size <= limit


def test_the_estimate_leaves_training_alone():
    compressed = copy.deepcopy(network()).train()
    step = compressed.step.clone()
    estimate = estimated_bytes(compressed)
    assert compressed.training
    assert torch.equal(compressed.step, step)
    assert estimate == pytest.approx(size_of(compressed), rel=0.01, abs=64)
