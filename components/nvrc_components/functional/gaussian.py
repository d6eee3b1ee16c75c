"""The bits of an integer under a Gaussian: minus log2 of the mass of the unit interval around it."""

import math
from typing import Any

import torch
from torch import Tensor

_LN_2 = math.log(2)
_SQRT_HALF = math.sqrt(0.5)
_INVERSE_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
# Beyond this many standard deviations erfc gives way to its asymptotic series, here exact to 1e-6.
_TAIL = 10.0
_TAIL_DENSITY = math.exp(-0.5 * _TAIL**2) * _INVERSE_SQRT_2PI
# Arguments of exp and erfc stop here: the results no longer matter, and float32 denormals are slow.
_NEGLIGIBLE = 12.0


def _mills_ratio(t: Tensor) -> Tensor:
    """Return (upper tail mass) / (density) at `t` >= 10 standard deviations by its asymptotic series."""
    inverse_square = t.square().reciprocal_()
    series = (inverse_square * -15).add_(3).mul_(inverse_square).sub_(1).mul_(inverse_square).add_(1)
    return series.div_(t)


def _scaled_mass(near: Tensor, far: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mass between `far` < `near` and the density at `near`, both in a scale that floats can hold.

    Arguments are in standard deviations; `decay` is density(far) / density(near). Where `near` is in the
    tail both results are divided by `exp((tail^2 - near^2) / 2)`, elsewhere by 1.
    """
    body_near, body_far = near.clamp(-_TAIL, _NEGLIGIBLE), far.clamp(min=-_NEGLIGIBLE)
    body = torch.erfc(body_near * -_SQRT_HALF).sub_(torch.erfc(body_far.mul_(-_SQRT_HALF))).mul_(0.5)
    distance, far_distance = near.neg().clamp_(min=_TAIL), far.neg().clamp_(min=_TAIL)
    tail = _mills_ratio(distance).sub_(_mills_ratio(far_distance).mul_(decay)).mul_(_TAIL_DENSITY)
    density = body_near.square_().mul_(-0.5).exp_().mul_(_INVERSE_SQRT_2PI)
    return torch.where(near < -_TAIL, tail, body), density


class _GaussianBits(torch.autograd.Function):
    """Finds the derivatives beside the values, where their factors are at hand, and keeps only them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, log2_scale: Tensor) -> Tensor:
        offset = x - mean
        inverse_scale = torch.exp2(-log2_scale)
        distance = offset.abs()
        near, far = (0.5 - distance).mul_(inverse_scale), (-0.5 - distance).mul_(inverse_scale)
        # (far^2 - near^2) / 2 = distance / scale^2, free of cancellation.
        fall = distance.mul_(inverse_scale.square()).neg_().expm1_()
        decay = fall + 1
        mass, density = _scaled_mass(near, far, decay)
        density.div_(mass)
        beyond = near.clamp(max=-_TAIL).square_().sub_(_TAIL**2).mul_(0.5 / _LN_2)
        ctx.shapes = x.shape, mean.shape, log2_scale.shape
        ctx.save_for_backward(
            fall.mul_(density).mul_(inverse_scale * (-1 / _LN_2)).mul_(offset.sign_()),
            near.sub_(far.mul_(decay)).mul_(density),
        )
        return beyond.sub_(mass.log2_())

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        by_offset, by_log2_scale = ctx.saved_tensors
        needs_x, needs_mean, needs_scale = ctx.needs_input_grad
        x_shape, mean_shape, scale_shape = ctx.shapes
        (grad,) = grad_outputs
        grad_offset = grad * by_offset if needs_x or needs_mean else grad
        return (
            grad_offset.sum_to_size(x_shape) if needs_x else None,
            grad_offset.sum_to_size(mean_shape).neg() if needs_mean else None,
            (grad * by_log2_scale).sum_to_size(scale_shape) if needs_scale else None,
        )


def gaussian_bits(x: Tensor, mean: Tensor, log2_scale: Tensor) -> Tensor:
    """Return -log2 of the mass that N(mean, 2^log2_scale) has on [x - 1/2, x + 1/2].

    Stable in the tails: far from the mean the bits grow with the square of the distance and their gradients
    linearly, in float32 too. Accurate to 1e-3 bits for scales from 2^-5 to 2^10; half-precision inputs are
    computed in float32.

    Shape:
        All broadcast together; the result has the broadcast shape.
    """
    inputs = [v.float() if v.dtype in (torch.float16, torch.bfloat16) else v for v in (x, mean, log2_scale)]
    bits: Tensor = _GaussianBits.apply(*inputs)
    return bits
