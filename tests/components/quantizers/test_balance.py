"""Steps set by curvature: every step spends as much distortion on an element as any other."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import GaussianPrior
from nvrc_components.functional import split_blocks
from nvrc_components.quantizers import (
    BlockQuantizer,
    DualAxisQuantizer,
    FixedQuantizer,
    SymmetricQuantizer,
    TensorQuantizer,
)
from tests.components.helpers import GRID, Picture, wrapped

LATTICE = 2.0 ** (2 / 64)  # a step is rounded to 1/64 octave on either axis; that of one element to 1/8
COARSE = 2.0 ** (2 / 8)


def positive(shape, seed, octaves=3.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator) * octaves).exp2()


def balanced(quantizer, curvature, noise):
    quantizer.balance(curvature, noise)
    return curvature * quantizer.step().detach().expand_as(curvature).square() / 2.0**noise


@settings(deadline=None, max_examples=20)
@given(st.integers(128, 200), st.integers(128, 200), st.floats(-20, 8), st.integers(0, 1 << 16))
def test_every_row_and_every_column_has_the_same_noise(rows, columns, noise, seed):
    curvature = positive((rows, 1), seed) * positive((1, columns), seed + 1) * positive((rows, columns), seed + 2, 0.5)
    shares = balanced(DualAxisQuantizer(torch.randn(rows, columns)), curvature, noise)
    for lines in (shares.mean(0), shares.mean(1)):
        assert lines.max() < LATTICE * 1.01
        assert lines.min() > 1 / LATTICE / 1.01


@pytest.mark.parametrize(("shape", "dim"), [((5, 300), 1), ((300, 5), 0), ((16, 16, 3, 3), (1, 2, 3)), ((300,), 0)])
def test_lines_that_are_too_short_share_what_the_others_have(shape, dim):
    curvature = positive(shape, 0)
    shares = balanced(DualAxisQuantizer(torch.randn(shape)), curvature, -9.0)
    lines = shares.mean(dim)
    tolerance = COARSE if lines.numel() == 1 else LATTICE * 1.01
    assert lines.max() < tolerance
    assert lines.min() > 1 / tolerance


@pytest.mark.parametrize("make", [TensorQuantizer, DualAxisQuantizer])
def test_a_step_for_all_follows_the_mean(make):
    shares = balanced(make(torch.randn(4, 6)), positive((4, 6), 0), -7.3)
    assert 1 / COARSE < shares.mean() < COARSE


@settings(deadline=None, max_examples=20)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 30)),
)
def test_every_block_of_a_grid_has_the_same_noise_also_at_its_ends(shape, block):
    shares = balanced(BlockQuantizer(torch.randn(shape), block), positive(shape, 3), -8.0)
    inside = split_blocks(torch.ones(shape), block).sum((2, 3, 4))
    means = split_blocks(shares, block).sum((2, 3, 4)) / inside
    tolerance = COARSE if means.numel() == 1 else LATTICE * 1.01
    assert means.max() < tolerance
    assert means.min() > 1 / tolerance


@pytest.mark.parametrize("make", [FixedQuantizer, SymmetricQuantizer])
def test_steps_that_are_not_learned_stay(make):
    quantizer = make(torch.randn(130, 140))
    before = quantizer.step().clone()
    quantizer.balance(positive((130, 140), 0), -3.0)
    assert torch.equal(quantizer.step(), before)


def noise_of(compressed, curvature):
    """Noise of every tensor, log2."""
    parameters = dict(compressed.module.named_parameters())
    return {
        name: (curvature[name] * codec.quantizer.step().square()).expand_as(parameters[name]).mean().log2().item()
        for name, codec in zip(compressed.names, compressed.tensor_codecs(), strict=True)
    }


def test_the_tensors_of_a_group_agree_and_their_mean_noise_stays():
    compressed = wrapped(partial(Picture, (6, 3, 32, 32)))
    curvature = {name: positive(p.shape, i) for i, (name, p) in enumerate(compressed.module.named_parameters())}
    sizes = {name: p.numel() for name, p in compressed.module.named_parameters() if name != "grid"}
    before = noise_of(compressed, curvature)
    compressed.balance(curvature)
    after = noise_of(compressed, curvature)
    mean = sum(before[name] * size for name, size in sizes.items()) / sum(sizes.values())
    assert all(abs(after[name] - mean) <= 0.2 for name in sizes)
    assert abs(after["grid"] - before["grid"]) < 0.05


def test_what_has_no_effect_gets_coarse_steps_and_a_tensor_without_curvature_stays():
    module = torch.nn.ParameterDict({"a": torch.randn(130, 200), "b": torch.randn(130, 200)})
    groups = [Group("all", "*", DualAxisQuantizer, GaussianPrior)]
    compressed = CompressedModule(module, groups)
    first, second = (codec.quantizer for codec in compressed.tensor_codecs())
    before = second.step().clone()
    known = torch.ones(130, 200)
    known[:, 7:] = 0.0
    compressed.balance({"a": known, "b": torch.zeros(130, 200)})
    assert torch.equal(second.step(), before)
    log2_step = first.log2_step()
    assert log2_step.isfinite().all()
    assert log2_step[:, 7:].min() > log2_step[:, :7].max() + 2


def test_a_balanced_module_is_coded_as_any_other():
    compressed = wrapped(Picture, GRID).eval()
    compressed.balance({name: positive(p.shape, 5) for name, p in compressed.module.named_parameters()})
    decoder = wrapped(Picture, GRID, seed=1).eval()
    decoder.decompress(compressed.compress())
    assert all(torch.equal(value, decoder.quantized()[name]) for name, value in compressed.quantized().items())
