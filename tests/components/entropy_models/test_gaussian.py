import numpy as np
import pytest
import torch
from scipy.stats import norm

from nvrc_components.entropy_models import ENTROPY_MODELS, DualAxisGaussian, GaussianPrior
from nvrc_components.entropy_models.base import coded_bits, mean_integers, scale_indices, snap_log2_scale, snap_mean
from nvrc_components.side import sides_of
from tests.components.entropy_models.helpers import ZERO, decoded, encoded, randomised

CASES = [(cls, s) for cls in (GaussianPrior, DualAxisGaussian) for s in [(130, 200), (5, 300), (300,), (3, 4, 2), ()]]


def symbols_of(model, shape, seed=0):
    """Return integers drawn from the model's own distribution."""
    mean, log2_scale = (v.detach().expand(shape) for v in model.distribution(ZERO))
    generator = torch.Generator().manual_seed(seed)
    return (mean + torch.randn(shape, generator=generator) * log2_scale.exp2()).round()


def made(cls, shape):
    return randomised(cls(torch.randn(shape)), spread=1.5)


@pytest.mark.parametrize(("cls", "shape"), CASES)
def test_bits_are_those_of_scipys_normal_distribution(cls, shape):
    model = made(cls, shape)
    symbols = symbols_of(model, shape)
    mean, scale = (v.detach().expand(shape).double().numpy() for v in model.distribution(ZERO))
    values, scale = symbols.double().numpy(), np.exp2(scale)
    expected = -np.log2(norm.cdf((values + 0.5 - mean) / scale) - norm.cdf((values - 0.5 - mean) / scale)).sum()
    assert float(model.bits(symbols, ZERO).detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("cls", "shape"), CASES)
def test_symbols_round_trip_at_the_estimated_cost(cls, shape):
    model = made(cls, shape)
    symbols = symbols_of(model, shape)
    data = encoded(model, symbols)
    assert torch.equal(decoded(model, shape, data), symbols)
    bits = float(model.bits(symbols, ZERO).detach())
    assert abs(8 * len(data) - bits) <= 0.005 * bits + 8 * 64


@pytest.mark.parametrize(("cls", "shape"), CASES)
def test_gradients_reach_every_parameter_that_is_trained(cls, shape):
    model = made(cls, shape)
    symbols = symbols_of(model, shape).requires_grad_()
    model.bits(symbols, ZERO).backward()
    assert symbols.grad.isfinite().all()
    for side in sides_of([model]):
        assert side.value.grad.isfinite().all()
        assert side.value.grad.abs().sum() > 0


def test_a_dual_axis_distribution_is_that_of_the_papers_equations():
    model = made(DualAxisGaussian, (130, 200))
    log2_step = torch.tensor(-0.75)
    mean, log2_scale = model.distribution(log2_step)
    rows, columns = model.log2_scale.rows(), model.log2_scale.columns()
    log2_sigma = rows[:, None] + columns + 0.75
    sigma = log2_sigma.exp2()
    centre = (model.mean.rows()[:, None] + model.mean.columns()) * sigma
    torch.testing.assert_close(log2_scale, log2_sigma.clamp(-3.25, 8), atol=1 / 16, rtol=0)
    torch.testing.assert_close(mean, centre, atol=1 / 32, rtol=1e-3)


def test_halving_the_step_doubles_symbols_under_the_same_parameters():
    model = made(GaussianPrior, (300,))
    mean, log2_scale = model.distribution(torch.tensor(0.0))
    finer_mean, finer_scale = model.distribution(torch.tensor(-1.0))
    assert finer_scale == log2_scale + 1
    assert abs(finer_mean - 2 * mean) <= 3 / 32


def test_means_and_scales_snap_to_the_coders_lattices():
    values = torch.linspace(-40, 40, 8001, requires_grad=True)
    mean, log2_scale = snap_mean(values), snap_log2_scale(values)
    assert (mean - values).abs().max() <= 1 / 32
    assert torch.equal(mean * 16, (mean * 16).round())
    assert (log2_scale - values.clamp(-3.25, 8)).abs().max() <= 1 / 16
    assert scale_indices(log2_scale, values.shape).min() == 0
    assert scale_indices(log2_scale, values.shape).max() == 90
    assert np.array_equal(mean_integers(mean, values.shape), (mean.detach() * 16).long().numpy())
    (gradient,) = torch.autograd.grad(mean.sum(), values)
    assert (gradient == 1).all()


@pytest.mark.parametrize("cls", [GaussianPrior, DualAxisGaussian])
def test_configurations_rebuild_the_model_and_others_are_refused(cls):
    model = made(cls, (130, 200))
    assert type(ENTROPY_MODELS[cls.kind].from_configuration(torch.zeros(130, 200), model.configuration())) is cls
    with pytest.raises(ValueError, match=cls.__name__):
        cls.from_configuration(torch.zeros(3), (1,))


def test_short_lines_may_have_distributions_of_their_own():
    model = DualAxisGaussian(torch.zeros(40, 50), shortest=32)
    assert model.log2_scale.has_rows
    assert model.log2_scale.has_columns
    assert model.configuration() == (32,)
    assert ENTROPY_MODELS[2].from_configuration(torch.zeros(40, 50), (32,)).mean.has_columns
    with pytest.raises(ValueError, match="DualAxisGaussian"):
        DualAxisGaussian.from_configuration(torch.zeros(40, 50), (32, 32))


def test_outliers_cost_what_the_coder_makes_of_them_with_the_gaussians_gradient():
    symbols = torch.tensor([0.0, 3.0, 40.0, -3000.0], requires_grad=True)
    bits = coded_bits(symbols, ZERO, torch.tensor(-2.0))
    assert bits[2:].max() <= 32
    (gradient,) = torch.autograd.grad(bits.sum(), symbols)
    assert gradient[2] > 100
    assert gradient[3] < -1000
