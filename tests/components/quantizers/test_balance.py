"""Steps set by curvature: every step spends as much distortion on an element as any other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import GaussianPrior
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


def balanced(quantizer, curvature, octaves):
    quantizer.balance(curvature, 2.0**octaves)
    return curvature * quantizer.step().detach().expand_as(curvature).square() / 2.0**octaves


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


def test_columns_and_rows_share_the_level_by_the_rows():
    quantizer = DualAxisQuantizer(torch.randn(130, 200))
    quantizer.steps.rows.common.data.fill_(3.0)
    shares = balanced(quantizer, positive((130, 200), 0), -20.0)
    assert shares.mean().log2().abs() < 0.05
    assert quantizer.steps.columns().mean().abs() < 0.02


def test_the_tensors_of_a_group_agree_and_their_noise_in_all_stays():
    shapes = {"grid": (6, 3, 32, 32), "a": (140, 150), "b": (30, 20), "c": (9,)}
    values = {name: 100 + 100 * torch.rand(shape) for name, shape in shapes.items()}  # none is rounded to zero
    module = torch.nn.ParameterDict(values)
    groups = [
        Group("grids", "grid", BlockQuantizer, GaussianPrior),
        Group("all", "*", DualAxisQuantizer, GaussianPrior),
    ]
    compressed = CompressedModule(module, groups)
    curvature = {name: positive(shape, i) for i, (name, shape) in enumerate(shapes.items())}

    def noise():
        codecs = zip(compressed.names, compressed.tensor_codecs(), strict=True)
        return {name: curvature[name] * codec.quantizer.step().detach().square() for name, codec in codecs}

    before = noise()
    compressed.balance(curvature)
    after = noise()
    assert torch.equal(after["grid"], before["grid"])
    sums = [sum(each[name].sum() for name in "abc") for each in (before, after)]
    assert (sums[1] / sums[0]).log2().abs() < 0.05
    means = torch.stack([after[name].mean().log2() for name in "abc"])
    assert means.max() - means.min() < 0.3


def layer(values, curvature, quantizer=DualAxisQuantizer):
    """One balanced tensor: its log2-steps before and after."""
    module = torch.nn.ParameterDict({"a": values})
    compressed = CompressedModule(module, [Group("all", "*", quantizer, GaussianPrior)])
    (codec,) = compressed.tensor_codecs()
    before = codec.quantizer.log2_step().detach().clone()
    compressed.balance({"a": curvature})
    return before.expand_as(values), codec.quantizer.log2_step().detach().expand_as(values)


def test_what_is_rounded_to_zero_keeps_its_steps():
    values = torch.randn(130, 200) * 100
    values[:40] = 0.0
    curvature = positive((130, 1), 0) * torch.ones(130, 200)
    before, after = layer(values, curvature)
    assert (after - before)[:40].mean(1).abs().max() < 0.05  # columns, which have live elements, move a little
    assert (after - before)[40:].mean(1).abs().max() > 1


def test_what_has_no_effect_gets_coarse_steps_but_not_without_bound():
    curvature = torch.ones(130, 200)
    curvature[:, 7:] = 0.0
    _, after = layer(torch.randn(130, 200) * 100, curvature)
    assert 3 < after[:, 7:].mean() - after[:, :7].mean() < 6


@pytest.mark.parametrize("curvature", [0.0, torch.nan, torch.inf])
def test_steps_stay_where_the_curvature_is_not_known(curvature):
    before, after = layer(torch.randn(130, 200), torch.full((130, 200), curvature))
    assert torch.equal(before, after)


@pytest.mark.parametrize("quantizer", [FixedQuantizer, SymmetricQuantizer, BlockQuantizer])
def test_steps_that_are_not_learned_or_of_a_grid_stay(quantizer):
    values = torch.randn(8, 4, 20, 20) * 100
    before, after = layer(values, positive(values.shape, 0), quantizer)
    assert torch.equal(before, after)


def test_a_balanced_module_is_coded_as_any_other():
    compressed = wrapped(Picture, GRID).eval()
    compressed.balance({name: positive(p.shape, 5) for name, p in compressed.module.named_parameters()})
    decoder = wrapped(Picture, GRID, seed=1).eval()
    decoder.decompress(compressed.compress())
    assert all(torch.equal(value, decoder.quantized()[name]) for name, value in compressed.quantized().items())
