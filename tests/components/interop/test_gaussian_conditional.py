import copy
import math

import pytest
import torch
from compressai.entropy_models import EntropyModel, GaussianConditional
from compressai.latent_codecs import GaussianConditionalLatentCodec
from compressai.models import JointAutoregressiveHierarchicalPriors, MeanScaleHyperprior, ScaleHyperprior
from compressai.models.base import get_scale_table
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.coding import lattice
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.interop.compressai import LatticeGaussianConditional
from tests.components.interop.helpers import bits_of, log_uniform, normal

SHAPE = (2, 32, 24, 20)


def ours():
    return LatticeGaussianConditional().eval()


def theirs():
    model = GaussianConditional(None).eval()
    model.update_scale_table(get_scale_table().tolist())
    return model


def latents(shape, low=0.3, high=20.0):
    scales, means = log_uniform(shape, low, high), normal(shape, 1)
    return means + scales * normal(shape, 2, 1.0), scales, means


def round_trip(model, y, scales, means=None):
    indexes = model.build_indexes(scales)
    strings = model.compress(y, indexes, means)
    return strings, model.decompress(strings, indexes, means=means)


@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple),
    low=st.sampled_from([-1.0, 0.0, 0.01, 0.5, 30.0]),
    outlier=st.sampled_from([0.0, 300.0, -1e5, 2.0**31 + 512, -(2.0**39)]),
    with_means=st.booleans(),
    seed=st.integers(0, 99),
)
def test_strings_hold_the_values_of_evaluation(shape, low, outlier, with_means, seed):
    model = ours()
    scales = normal(shape, seed).abs() + low
    means = normal(shape, seed + 1) if with_means else None
    y = normal(shape, seed + 2, 10.0)
    y.view(-1)[-1] = outlier
    strings, decoded = round_trip(model, y, scales, means)
    values, likelihoods = model(y, scales, means)
    assert len(strings) == shape[0]
    assert torch.equal(decoded, values)
    assert likelihoods.shape == y.shape
    assert likelihoods.min() > 0
    assert likelihoods.max() <= 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("with_means", [True, False])
def test_values_are_compressais_to_the_bit(training, with_means):
    y, scales, means = latents(SHAPE)
    results = []
    for model in (ours(), theirs()):
        torch.manual_seed(0)
        results.append(model(y, scales, means if with_means else None, training=training)[0])
    assert torch.equal(*results)
    assert torch.equal(results[0], results[0].round()) == (not training and not with_means)


@pytest.mark.parametrize(("low", "high"), [(0.12, 0.5), (0.5, 4.0), (4.0, 200.0)])
def test_bits_and_strings_are_as_small_as_compressais(low, high):
    y, scales, means = latents(SHAPE, low, high)
    bits, lengths = [], []
    for model in (ours(), theirs()):
        bits.append(bits_of(model(y, scales, means)[1]))
        lengths.append(sum(map(len, round_trip(model, y, scales, means)[0])))
    assert bits[0] == pytest.approx(bits[1], rel=0.01)
    assert abs(8 * lengths[0] - bits[0]) <= 0.005 * bits[0] + 8 * 64
    assert lengths[0] < 1.002 * lengths[1]


def test_a_scale_gets_the_nearest_table_whatever_it_is():
    exact = torch.arange(lattice.SCALES) / 8 - 3.25
    model = LatticeGaussianConditional(scale_bound=1e-3)
    off = torch.tensor([-0.06, 0.0, 0.06])[:, None]
    assert torch.equal(model.build_indexes(torch.exp2(exact + off)), torch.arange(lattice.SCALES).int().expand(3, -1))
    outside = torch.tensor([-math.inf, -1.0, 0.0, 1e-9, 1e9, math.inf])
    last = lattice.SCALES - 1
    assert model.build_indexes(outside).tolist() == [0, 0, 0, 0, last, last]


def test_outliers_are_escaped_at_the_cost_that_their_likelihoods_say():
    y = torch.full((1, 1000), 1e5)
    strings, decoded = round_trip(ours(), y, torch.ones_like(y))
    assert torch.equal(decoded, y)
    estimate = bits_of(ours()(y, torch.ones_like(y))[1])
    assert 0.8 * estimate < 8 * len(strings[0]) < 2 * estimate


def test_gradients_are_finite_and_draw_outliers_in_and_dead_scales_up():
    y, scales, means = (v.requires_grad_() for v in latents((1, 4, 8, 8)))
    with torch.no_grad():
        y[0, 0, 0, 0] = 1e4
        scales[0, 0, 0, 0] = -3.0
    model = LatticeGaussianConditional().train()
    values, likelihoods = model(y, scales, means)
    (values.square().mean() - likelihoods.log2().sum()).backward()
    for leaf in (y, scales, means):
        assert leaf.grad.isfinite().all()
        assert leaf.grad.count_nonzero() > leaf.numel() / 2
    assert scales.grad[0, 0, 0, 0] < 0
    assert means.grad[0, 0, 0, 0] < 0


def test_a_likelihood_bound_is_kept():
    y = torch.full((1, 4), 50.0)
    _, likelihoods = LatticeGaussianConditional(likelihood_bound=1e-3)(y, torch.ones_like(y))
    assert likelihoods.min() == pytest.approx(1e-3)


def test_half_precision_latents_get_likelihoods_of_full_precision():
    y, scales, means = (v.bfloat16() for v in latents((1, 4, 8, 8)))
    values, likelihoods = ours()(y, scales, means)
    assert torch.equal(round_trip(ours(), y, scales, means)[1], values)
    assert values.dtype == torch.bfloat16
    assert likelihoods.dtype == torch.float32


@pytest.fixture
def restored_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("restored_threads")
def test_strings_do_not_depend_on_threads():
    y, scales, means = latents((1, 64, 32, 32))
    found = set()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.add(tuple(round_trip(ours(), y, scales, means)[0]))
    assert len(found) == 1


@pytest.mark.parametrize("make", [MeanScaleHyperprior, ScaleHyperprior])
def test_models_compress_and_decompress_with_it_to_the_same_pictures(make):
    torch.manual_seed(0)
    model = make(8, 12).eval()
    model.update()
    x = torch.rand(2, 3, 64, 128)
    with torch.no_grad():
        expected = model.decompress(**model.compress(x))["x_hat"]
        model.gaussian_conditional = LatticeGaussianConditional().eval()
        assert not model.update()
        coded = model.compress(x)
        assert torch.equal(model.decompress(**coded)["x_hat"], expected)
        assert torch.equal(model(x)["x_hat"].clamp(0, 1), expected)
    assert [len(strings) for strings in coded["strings"]] == [2, 2]


def test_state_dicts_go_to_and_from_compressais_models():
    torch.manual_seed(0)
    stock, swapped, again = (MeanScaleHyperprior(8, 12).eval() for _ in range(3))
    stock.update()
    swapped.gaussian_conditional, again.gaussian_conditional = ours(), ours()
    swapped.load_state_dict(stock.state_dict())
    again.load_state_dict(swapped.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        coded = stock.compress(x)
        expected = stock.decompress(**coded)["x_hat"]
        assert torch.equal(again.decompress(**swapped.compress(x))["x_hat"], expected)
    fresh = MeanScaleHyperprior(8, 12)
    fresh.gaussian_conditional = ours()
    restored = MeanScaleHyperprior(8, 12)
    restored.load_state_dict(fresh.state_dict())
    assert restored.update()


def test_a_latent_codec_takes_it_and_copies_of_it():
    codec = GaussianConditionalLatentCodec(gaussian_conditional=ours()).eval()
    codec = copy.deepcopy(codec)
    y, scales, means = latents((2, 6, 9, 7))
    context = torch.cat([scales, means], 1)
    coded = codec.compress(y, context)
    decoded = codec.decompress(coded["strings"], coded["shape"], context)
    assert torch.equal(decoded["y_hat"], coded["y_hat"])
    assert torch.equal(codec(y, context)["y_hat"], coded["y_hat"])
    assert isinstance(codec.gaussian_conditional, EntropyModel)


def test_models_with_a_coder_of_their_own_are_told_so():
    model = JointAutoregressiveHierarchicalPriors(8, 8).eval()
    model.update()
    model.gaussian_conditional = ours()
    with pytest.raises(InputError, match="keep its GaussianConditional"):
        model.compress(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1e13])
def test_latents_of_a_diverged_model_are_refused(bad):
    y, scales, means = latents((1, 2, 3, 3))
    y[0, 0, 0, 0] = bad
    with pytest.raises(InputError, match="not finite, or beyond 2\\^40"):
        round_trip(ours(), y, scales, means)


def test_shapes_and_strings_that_do_not_fit_are_refused():
    y, scales, means = latents((2, 4, 8, 8))
    model = ours()
    indexes = model.build_indexes(scales)
    with pytest.raises(ValueError, match=r"indexes are of shape \(1, 4, 8, 8\)"):
        model.compress(y, indexes[:1], means)
    strings = model.compress(y, indexes, means)
    with pytest.raises(ValueError, match="1 strings for a batch of 2"):
        model.decompress(strings[:1], indexes, means=means)
    with pytest.raises(BitstreamError, match="string 1"):
        model.decompress([strings[0], b"\x05"], indexes, means=means)
    with pytest.raises(BitstreamError, match="string 0"):
        model.decompress(strings, indexes[..., :2], means=means[..., :2])
