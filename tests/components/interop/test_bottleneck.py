import copy
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from compressai.entropy_models import EntropyBottleneck, EntropyModel
from compressai.latent_codecs import EntropyBottleneckLatentCodec
from compressai.models import FactorizedPrior
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.entropy_models import ENTROPY_MODELS, DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.interop.compressai import ContextBottleneck, GaussianBottleneck
from nvrc_components.quantizers import QuantNoise, SoftRoundKumaraswamy, StraightThrough
from nvrc_lightning.data.datamodule import VideoDataModule
from tests.components.interop.helpers import bits_of, normal, randomised

KINDS = [
    *((ContextBottleneck, prior) for prior in ENTROPY_MODELS.values()),
    (GaussianBottleneck, GaussianPrior),
    (GaussianBottleneck, DualAxisGaussian),
]
IMAGE, VIDEO = (2, 3, 20, 33), (2, 3, 5, 20, 17)


def made(cls, prior, shape, seed=0):
    return randomised(cls(prior, normal(shape, seed)), seed).eval()


def round_trip(model, x):
    strings = model.compress(x)
    return strings, model.decompress(strings, x.shape[2:])


@pytest.mark.parametrize("shape", [IMAGE, VIDEO])
@pytest.mark.parametrize(("cls", "prior"), KINDS)
def test_strings_hold_the_values_at_the_estimated_cost(cls, prior, shape):
    model = made(cls, prior, shape)
    x = normal(shape, 1, spread=1.0)
    strings, decoded = round_trip(model, x)
    values, likelihoods = model(x)
    assert len(strings) == shape[0]
    assert torch.equal(decoded, values)
    assert torch.equal(values, x.round())
    assert likelihoods.shape == x.shape
    bits = bits_of(likelihoods)
    assert abs(8 * sum(map(len, strings)) - bits) <= 0.005 * bits + shape[0] * 64 * 8


@pytest.mark.parametrize(("cls", "prior"), [(ContextBottleneck, OctreeContext), (GaussianBottleneck, DualAxisGaussian)])
@given(
    batch=st.integers(1, 3),
    size=st.lists(st.integers(1, 9), min_size=2, max_size=3),
    outlier=st.sampled_from([0.0, 300.0, -1e5, 2.0**39]),
    seed=st.integers(0, 99),
)
def test_latents_of_any_size_come_back_outliers_too(cls, prior, batch, size, outlier, seed):
    model = made(cls, prior, (1, 2, *([8] * len(size))), seed)
    x = normal((batch, 2, *size), seed)
    x.view(-1)[seed % x.numel()] = outlier
    assert torch.equal(round_trip(model, x)[1], x.round())
    assert model(x)[1].isfinite().all()
    assert model.decompress([], size).shape == (0, 2, *size)


def test_a_prior_with_parameters_for_positions_takes_latents_of_its_size_only():
    model = made(GaussianBottleneck, DualAxisGaussian, (1, 192, 8, 12))
    x = normal((2, 192, 8, 12), 1)
    assert torch.equal(round_trip(model, x)[1], x.round())
    for other in ((2, 192, 8, 11), (2, 192, 4, 24), (2, 192, 1, 1)):
        with pytest.raises(ValueError, match=r"position of \(8, 12\)"):
            model(normal(other, 1))
    with pytest.raises(ValueError, match=r"position of \(8, 12\)"):
        model.decompress([b""], (8, 11))


@pytest.mark.parametrize(("cls", "prior"), KINDS)
def test_a_latents_string_and_likelihoods_do_not_depend_on_its_batch(cls, prior):
    model = made(cls, prior, IMAGE)
    x = normal(IMAGE, 1)
    alone = [model.compress(latent[None])[0] for latent in x]
    assert model.compress(x) == alone
    torch.testing.assert_close(model(x)[1][1:], model(x[1:])[1])


def test_a_context_bottlenecks_grid_is_that_of_the_prior_itself():
    model = made(ContextBottleneck, OctreeContext, VIDEO)
    x = normal(VIDEO, 1).round()
    for latent, likelihoods in zip(x, model(x)[1], strict=True):
        expected = model.prior.symbol_bits(latent.transpose(0, 1), torch.zeros(())).transpose(0, 1)
        torch.testing.assert_close(likelihoods, torch.exp2(-expected))


def test_likelihoods_of_dual_axis_gaussians_are_of_each_element_and_rows_are_channels():
    x = normal((1, 4, 12, 12)) * torch.tensor([0.5, 1.0, 4.0, 20.0]).view(1, 4, 1, 1)
    model = GaussianBottleneck(DualAxisGaussian, x).eval()
    assert model.prior.log2_scale.rows().shape == (4,)
    likelihoods = model(x)[1]
    near, far = x[0, 2].abs().argmin(), x[0, 2].abs().argmax()
    assert likelihoods[0, 2].flatten()[near] > likelihoods[0, 2].flatten()[far]


@pytest.mark.parametrize("surrogate", [None, StraightThrough(), SoftRoundKumaraswamy(), QuantNoise(0.5)])
@pytest.mark.parametrize(("cls", "prior"), KINDS)
def test_gradients_reach_latents_and_priors_through_every_surrogate(cls, prior, surrogate):
    x = normal(IMAGE).requires_grad_()
    model = randomised(cls(prior, x, surrogate))
    values, likelihoods = model(x)
    (values.square().mean() - likelihoods.log2().sum()).backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert trained
    assert all(leaf.grad.isfinite().all() for leaf in (x, *trained))
    assert x.grad.count_nonzero() > x.numel() / 3
    assert sum(int(p.grad.count_nonzero()) for p in trained) > 0
    assert torch.equal(model(x, training=False)[0], x.round())
    assert not torch.equal(values, x)


def test_noise_is_compressais_by_default():
    x = torch.zeros(1, 4, 64, 64)
    values, _ = GaussianBottleneck(GaussianPrior, x).train()(x)
    assert values.min() >= -0.5
    assert values.max() <= 0.5
    assert values.var() == pytest.approx(1 / 12, rel=0.05)


def test_trained_on_video_an_octrees_strings_are_far_smaller_than_those_of_compressais_bottleneck():
    frames = VideoDataModule("bunny", frames="0:8").video.rgb().float()
    x = (F.avg_pool2d(frames, 4).transpose(0, 1)[None] - 128) / 16
    sizes = []
    for model in (ContextBottleneck(partial(OctreeContext, width=2), x), EntropyBottleneck(3)):
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
        for _ in range(40):
            optimizer.zero_grad()
            (-model(x)[1].log2().mean()).backward()
            optimizer.step()
        if isinstance(model, EntropyBottleneck):
            model.update(update_quantiles=True)
        sizes.append(sum(map(len, model.eval().compress(x))))
    assert sizes[0] < 0.8 * sizes[1]


@pytest.mark.parametrize(("cls", "prior"), KINDS)
def test_a_state_dict_makes_another_model_the_same(cls, prior):
    model = made(cls, prior, IMAGE)
    other = cls(prior, torch.zeros(IMAGE)).eval()
    x = normal(IMAGE, 1)
    strings = model.compress(x)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.decompress(strings, x.shape[2:]), x.round())
    assert copy.deepcopy(model).compress(x) == strings
    assert isinstance(model, EntropyModel)


@pytest.fixture
def restored_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize(("cls", "prior"), KINDS)
def test_strings_do_not_depend_on_threads(cls, prior):
    shape = (1, 8, 4, 32, 32)
    model, x = made(cls, prior, shape), normal(shape)
    found = set()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.add(*model.compress(x))
    assert len(found) == 1


def test_compressais_latent_codec_and_model_take_it():
    x = normal(IMAGE)
    codec = EntropyBottleneckLatentCodec(made(ContextBottleneck, OctreeContext, IMAGE))
    coded = codec.compress(x)
    assert torch.equal(codec.decompress(coded["strings"], coded["shape"])["y_hat"], coded["y_hat"])
    model = FactorizedPrior(8, 12).eval()
    model.entropy_bottleneck = GaussianBottleneck(DualAxisGaussian, torch.zeros(1, 12, 4, 8)).eval()
    picture = torch.rand(2, 3, 64, 128)
    with torch.no_grad():
        decoded = model.decompress(**model.compress(picture))["x_hat"]
        assert torch.equal(decoded, model(picture)["x_hat"].clamp(0, 1))


def test_latents_of_other_channels_or_axes_are_refused():
    model = made(ContextBottleneck, OctreeContext, VIDEO)
    x = normal(VIDEO)
    strings = model.compress(x)
    for call in (model, model.compress):
        with pytest.raises(ValueError, match=r"\(B, 3\) and 3 axes"):
            call(x[:, :2])
    with pytest.raises(ValueError, match=r"must keep y.shape\[2:\]"):
        model.decompress(strings, x.shape[-2:])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1e13])
def test_latents_of_a_diverged_model_are_refused(bad):
    x = normal(IMAGE)
    model = made(GaussianBottleneck, GaussianPrior, IMAGE)
    x[1, 0, 0, 0] = bad
    with pytest.raises(InputError, match="not finite, or beyond 2\\^40"):
        model.compress(x)


def test_a_string_that_is_not_the_latents_is_refused():
    model = made(ContextBottleneck, OctreeContext, IMAGE)
    strings = model.compress(normal(IMAGE))
    with pytest.raises(BitstreamError, match="string 1"):
        model.decompress([strings[0], b"\x05"], IMAGE[2:])
    with pytest.raises(BitstreamError, match="string 0"):
        model.decompress(strings, (4, 4))
