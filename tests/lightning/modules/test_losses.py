import numpy as np
import pytest
import pytorch_msssim
import torch
from torch import Tensor
from torch.nn import functional as F

from nvrc_lightning.modules.losses import MseDistortion, RgbDistortion, YuvDistortion
from nvrc_lightning.modules.ms_ssim import ms_ssim, scales_for


def _pair(height: int, width: int, batch: int = 1, noise: float = 0.05) -> tuple[Tensor, Tensor]:
    """A smooth picture and a noisy copy, (B, 3, h, w) each."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, height // 16 + 1, width // 16 + 1, generator=generator)
    target = F.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    return target + noise * torch.randn(target.shape, generator=generator), target


def _reference(x: Tensor, y: Tensor, window: int = 5) -> Tensor:
    return pytorch_msssim.ms_ssim(x, y, data_range=1.0, win_size=window)


@pytest.mark.parametrize(("height", "width", "batch"), [(128, 192, 3), (96, 112, 2), (272, 480, 1)])
def test_ms_ssim_and_its_gradient_are_those_of_the_standard_definition(height, width, batch):
    x, y = _pair(height, width, batch)
    ours, theirs = x.clone().requires_grad_(), x.double().requires_grad_()
    value, expected = ms_ssim(ours, y), _reference(theirs, y.double())
    value.backward()
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), abs=2e-6)
    torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-3, atol=1e-4 * theirs.grad.abs().max())


def test_ms_ssim_of_an_eleven_pixel_window_matches_too():
    x, y = _pair(176, 176)
    assert ms_ssim(x, y, 11).item() == pytest.approx(_reference(x, y, 11).item(), abs=1e-5)


def test_ms_ssim_gradient_by_finite_differences_on_odd_sides():
    x, y = (picture.double() for picture in _pair(23, 31))
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: ms_ssim(p, y), x, eps=1e-6, atol=1e-7, fast_mode=True)


def test_ms_ssim_of_equal_pictures_is_one_and_stationary():
    _, y = _pair(80, 80)
    x = y.clone().requires_grad_()
    value = ms_ssim(x, y)
    value.backward()
    assert value.item() == pytest.approx(1.0, abs=1e-6)
    assert x.grad.abs().max() < 1e-6


def test_ms_ssim_gradient_is_finite_where_structure_is_negative():
    _, y = _pair(96, 96)
    x = (1 - y).requires_grad_()
    ms_ssim(x, y).backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(("side", "scales"), [(5, 1), (9, 1), (10, 2), (20, 3), (40, 4), (79, 4), (80, 5), (999, 5)])
def test_the_scales_that_fit(side, scales):
    assert scales_for(side, 1000, 5) == scales
    assert scales_for(1000, side, 5) == scales


def test_patches_below_the_window_are_refused():
    with pytest.raises(ValueError, match="at least 5x5 pixels, not 30x4"):
        ms_ssim(torch.zeros(1, 3, 4, 30), torch.zeros(1, 3, 4, 30))


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="odd"):
        ms_ssim(torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40), 4)


def test_rgb_distortion_is_equation_ten():
    x, y = _pair(128, 192, 2)
    expected = 0.7 * (x - y).abs().mean() + 0.3 * (1 - _reference(x, y))
    assert RgbDistortion()(x, y).item() == pytest.approx(expected.item(), abs=3e-6)
    assert RgbDistortion(l1=2, ms_ssim=0)(x, y).item() == pytest.approx(2 * (x - y).abs().mean().item())


def test_yuv_distortion_is_equation_eleven():
    x, y = _pair(128, 192, 2)
    error = (x - y).numpy().astype(np.float64)
    pooled = error[:, 1:].reshape(2, 2, 64, 2, 96, 2).mean((3, 5))
    luma, (u, v) = (error[:, 0] ** 2).mean((1, 2)), (pooled**2).mean((2, 3)).T
    mse = (luma**0.75 * u**0.125 * v**0.125).mean()
    expected = 0.99 * mse + 0.01 * (1 - _reference(x[:, :1], y[:, :1]).item())
    assert YuvDistortion()(x, y).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_yuv_gradient_stays_bounded_as_one_plane_becomes_exact(plane):
    x, y = _pair(96, 96)
    for error in (0.0, 1e-7, 1e-5):
        p = x.clone()
        p[:, plane] = y[:, plane] + error
        p.requires_grad_()
        YuvDistortion(ms_ssim=0)(p, y).backward()
        assert torch.isfinite(p.grad).all()
        assert p.grad.norm() < 10


@pytest.mark.parametrize("loss", [RgbDistortion(), YuvDistortion(), MseDistortion(scale=100)])
def test_every_distortion_is_zero_at_the_target_and_falls_towards_it(loss):
    x, y = _pair(64, 80)
    assert loss(y, y).item() == pytest.approx(0, abs=1e-6)
    x.requires_grad_()
    before = loss(x, y)
    (gradient,) = torch.autograd.grad(before, x)
    assert loss(x - 0.3 * gradient / gradient.norm(), y) < before


@pytest.mark.parametrize("loss", [RgbDistortion(), YuvDistortion(), MseDistortion()])
def test_half_precision_predictions_are_measured_in_single(loss):
    x, y = _pair(64, 80)
    x = x.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(x, y)
    assert value.dtype == torch.float32
    assert value.item() == loss(x.float(), y).item()


@pytest.mark.parametrize("loss", [RgbDistortion(), YuvDistortion(), MseDistortion()])
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(ValueError, match=r"\(1, 3, 64, 64\) and \(2, 3, 64, 64\)"):
        loss(torch.zeros(1, 3, 64, 64), torch.zeros(2, 3, 64, 64))


def test_mse_scale():
    x, y = _pair(16, 16)
    assert MseDistortion(scale=100)(x, y).item() == pytest.approx(100 * ((x - y) ** 2).mean().item())
