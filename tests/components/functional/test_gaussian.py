import math

import numpy as np
import pytest
import torch
from compressai.entropy_models import GaussianConditional
from scipy.stats import norm

from nvrc_components.functional import gaussian_bits

LOG2_SCALES = list(range(-5, 11))


def reference_bits(x: np.ndarray, mean: np.ndarray, scale: float) -> np.ndarray:
    distance = np.abs(x - mean)
    upper, lower = norm.logcdf((0.5 - distance) / scale), norm.logcdf((-0.5 - distance) / scale)
    return -(upper + np.log(-np.expm1(lower - upper))) / math.log(2)


@pytest.mark.parametrize("log2_scale", LOG2_SCALES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_match_scipy_from_the_centre_to_200_sigma(dtype, log2_scale):
    sigmas = torch.cat([torch.linspace(-6, 6, 2001), torch.linspace(-200, 200, 2001)]).to(dtype)
    x = (sigmas * 2.0**log2_scale).round()
    mean = torch.linspace(-0.5, 0.5, 4002, dtype=dtype)
    bits = gaussian_bits(x, mean, torch.tensor(float(log2_scale), dtype=dtype)).double().numpy()
    expected = reference_bits(x.double().numpy(), mean.double().numpy(), 2.0**log2_scale)
    absolute, relative = (1e-3, 3e-6) if dtype == torch.float32 else (1e-7, 1e-7)
    np.testing.assert_allclose(bits, expected, atol=absolute, rtol=relative)
    assert (bits >= 0).all()


@pytest.mark.parametrize("log2_scale", [-4.0, -1.3, 0.0, 2.7, 9.0])
def test_the_mass_over_all_integers_is_one(log2_scale):
    reach = math.ceil(8 * 2**log2_scale) + 2
    x = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bits = gaussian_bits(x, torch.tensor(0.3).double(), torch.tensor(log2_scale).double())
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-9)


def test_bits_match_compressai_where_its_likelihood_bound_is_not_reached():
    generator = torch.Generator().manual_seed(0)
    scale = torch.rand(2000, generator=generator) * 20 + 0.2
    mean = torch.randn(2000, generator=generator)
    x = (mean + scale * torch.randn(2000, generator=generator)).round()
    likelihood = GaussianConditional(None)._likelihood(x, scale, mean)
    torch.testing.assert_close(gaussian_bits(x, mean, scale.log2()), -likelihood.log2(), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("log2_scale", [-4.0, 0.0, 3.0, 9.0])
@pytest.mark.parametrize("sigmas", [0.0, 0.4, 3.0, -7.0, 9.9, 10.3, -40.0])
def test_gradients_match_finite_differences(log2_scale, sigmas):
    x = torch.tensor([sigmas * 2**log2_scale + 0.11], dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([0.03], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([log2_scale], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gaussian_bits, (x, mean, scale), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("log2_scale", [-4.0, 0.0, 9.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_gradients_far_out_are_finite_right_signed_and_linear_in_distance(log2_scale, sign):
    sigmas = torch.tensor([40.0, 80.0, 400.0, 4000.0, 1e5])
    x = (sign * sigmas * 2**log2_scale).requires_grad_()
    scale = torch.full((5,), log2_scale, requires_grad=True)
    bits = gaussian_bits(x, torch.zeros(()), scale)
    by_x, by_scale = torch.autograd.grad(bits.sum(), (x, scale))
    assert bits.isfinite().all()
    edge = sigmas - 0.5 * 2**-log2_scale
    slope = sign * by_x * 2**log2_scale * math.log(2)
    torch.testing.assert_close(slope, edge, rtol=0.1, atol=0.1)
    assert (by_scale < 0).all()
    assert by_scale.isfinite().all()


@pytest.mark.parametrize("log2_scale", [-30.0, -12.0, -4.0])
def test_a_scale_near_zero_costs_nothing_at_the_mean(log2_scale):
    inputs = [torch.tensor(v, requires_grad=True) for v in (3.0, 3.2, log2_scale)]
    bits = gaussian_bits(*inputs)
    gradients = torch.autograd.grad(bits, inputs)
    assert bits.item() == pytest.approx(0, abs=1e-5)
    assert all(abs(g.item()) < 1e-3 for g in gradients)


def test_shapes_broadcast_and_gradients_come_back_in_the_shapes_of_the_inputs():
    x = torch.randn(5, 4, 3, dtype=torch.float64, requires_grad=True)
    mean = torch.randn(4, 1, dtype=torch.float64, requires_grad=True)
    scale = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert gaussian_bits(x, mean, scale).shape == (5, 4, 3)
    assert torch.autograd.gradcheck(gaussian_bits, (x, mean, scale))


def test_only_the_gradients_asked_for_are_computed():
    x, scale = torch.zeros(3), torch.zeros(3, requires_grad=True)
    gaussian_bits(x, torch.zeros(3), scale).sum().backward()
    assert scale.grad is not None
    assert x.grad is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    x = torch.tensor([0.0, 3.0, -60.0], dtype=dtype, requires_grad=True)
    bits = gaussian_bits(x, torch.zeros(1, dtype=dtype), torch.zeros(1, dtype=dtype))
    (gradient,) = torch.autograd.grad(bits.sum(), x)
    assert bits.dtype == torch.float32
    assert gradient.dtype == dtype
    np.testing.assert_allclose(
        bits.detach().numpy(), reference_bits(np.array([0, 3, -60.0]), np.zeros(1), 1), rtol=1e-5
    )
