"""Rounding, and the smooth functions that stand in for it while training.

`temperature` sets how far the smooth functions are from rounding: towards infinity they are the identity,
towards 0 they are rounding. TensorFlow Compression's `alpha` is `1 / temperature`.

Source: Agustsson and Theis, "Universally Quantized Neural Compression", NeurIPS 2020.
"""

import math
from typing import Any

import torch
from torch import Tensor


class _RoundStraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        return grad_outputs[0]


def round_straight_through(x: Tensor) -> Tensor:
    """Round to the nearest integer, half to even, with the gradient of the identity.

    Shape:
        Any; the result has the same shape.

    Source: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013.
    """
    if not torch.is_grad_enabled():
        return x.round()
    rounded: Tensor = _RoundStraightThrough.apply(x)
    return rounded


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")


class _SoftRound(torch.autograd.Function):
    """Soft rounding that keeps one tensor for the backward pass and works in place on the others."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, temperature: float) -> Tensor:
        midpoint = x.floor().add_(0.5)
        saturation = (x - midpoint).mul_(1 / temperature).tanh_()
        gain = 0.5 / math.tanh(0.5 / temperature)
        ctx.save_for_backward(saturation)
        ctx.slope = gain / temperature
        return midpoint.add_(saturation, alpha=gain)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (saturation,) = ctx.saved_tensors
        slope = saturation.square().mul_(-ctx.slope).add_(ctx.slope)
        return slope.mul_(grad_outputs[0]), None


def soft_round(x: Tensor, temperature: float | Tensor) -> Tensor:
    """Round smoothly: `m + tanh((x - m) / T) / (2 tanh(1 / 2T))` with `m = floor(x) + 1/2`.

    Integers and half-integers are fixed points at every temperature. A float temperature takes a fused path;
    a tensor temperature is differentiable and can change under `torch.compile` without a new compilation.

    Shape:
        `temperature`, if a tensor, broadcasts with `x`; the result has the shape of `x`.

    Raises:
        ValueError: If a float temperature is not above 0.

    Source: Agustsson and Theis 2020, section 4.1, with alpha = 1 / temperature.
    """
    if isinstance(temperature, Tensor):
        midpoint = x.detach().floor() + 0.5
        gain = 0.5 / torch.tanh(0.5 / temperature)
        return midpoint + torch.tanh((x - midpoint) / temperature) * gain
    _check_temperature(temperature)
    rounded: Tensor = _SoftRound.apply(x, temperature)
    return rounded


def soft_round_inverse(y: Tensor, temperature: float | Tensor) -> Tensor:
    """Invert `soft_round` with respect to its first argument.

    At low temperatures `soft_round` is flat to within the precision of floats around integers; there the
    inverse has a jump, which is given the gradient 0 so that no gradient is infinite.

    Shape:
        `temperature`, if a tensor, broadcasts with `y`; the result has the shape of `y`.

    Raises:
        ValueError: If a float temperature is not above 0.

    Source: Agustsson and Theis 2020, section 4.1, with alpha = 1 / temperature.
    """
    if isinstance(temperature, Tensor):
        inverse_gain = 2 * torch.tanh(0.5 / temperature)
    else:
        _check_temperature(temperature)
        inverse_gain = y.new_tensor(2 * math.tanh(0.5 / temperature))
    midpoint = y.detach().floor() + 0.5
    saturation = (y - midpoint) * inverse_gain
    at_jump = saturation.detach().abs() >= 1
    # The branch not taken must be finite too: its gradient is multiplied by 0, not dropped.
    offset = torch.atanh(torch.where(at_jump, torch.zeros_like(saturation), saturation)) * temperature
    offset = torch.where(at_jump, (y - midpoint).detach(), offset)
    return midpoint + offset.clamp(-0.5, 0.5)


def soft_round_conditional_mean(y: Tensor, temperature: float | Tensor) -> Tensor:
    """Return the expected `x` given `y = soft_round(x, T) + u` with `u` uniform on (-1/2, 1/2).

    Shape:
        `temperature`, if a tensor, broadcasts with `y`; the result has the shape of `y`.

    Raises:
        ValueError: If a float temperature is not above 0.

    Source: Agustsson and Theis 2020, section 4.2; `x` uniform near `y` is assumed.
    """
    return soft_round_inverse(y - 0.5, temperature) + 0.5
