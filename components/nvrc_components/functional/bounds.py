"""Bounds whose gradient can be chosen, so that a parameter at its bound can still come back."""

from typing import Any, Literal

import torch
from torch import Tensor

BoundGradient = Literal["identity_if_towards", "identity", "disconnected"]
_MODES = ("identity_if_towards", "identity", "disconnected")


class _Bound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float, is_lower: bool, gradient: BoundGradient) -> Tensor:
        ctx.is_lower, ctx.gradient = is_lower, gradient
        if gradient != "identity":
            ctx.save_for_backward(x >= bound if is_lower else x <= bound)
        return x.clamp(min=bound) if is_lower else x.clamp(max=bound)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (grad,) = grad_outputs
        if ctx.gradient == "identity":
            return grad, None, None, None
        (passes,) = ctx.saved_tensors
        if ctx.gradient == "identity_if_towards":
            # Descent moves against the gradient, so a negative one raises x.
            passes = passes | (grad < 0 if ctx.is_lower else grad > 0)
        return grad * passes, None, None, None


def _bound(x: Tensor, bound: float, is_lower: bool, gradient: BoundGradient) -> Tensor:
    if gradient not in _MODES:
        raise ValueError(f"gradient must be one of {', '.join(_MODES)}, got {gradient!r}")
    if not torch.is_grad_enabled():  # coding has thousands of small calls, where a function of autograd's costs time
        return x.clamp(min=bound) if is_lower else x.clamp(max=bound)
    bounded: Tensor = _Bound.apply(x, bound, is_lower, gradient)
    return bounded


def lower_bound(x: Tensor, bound: float, gradient: BoundGradient = "identity_if_towards") -> Tensor:
    """Return `max(x, bound)` with a chosen gradient for the elements below the bound.

    `identity_if_towards` passes the gradient there only if descent would raise `x`; `identity` always;
    `disconnected` never.

    Shape:
        Any; the result has the same shape.

    Raises:
        ValueError: If `gradient` is none of the three modes.

    Source: the modes of TensorFlow Compression's `lower_bound`.
    """
    return _bound(x, bound, True, gradient)


def upper_bound(x: Tensor, bound: float, gradient: BoundGradient = "identity_if_towards") -> Tensor:
    """Return `min(x, bound)` with a chosen gradient above the bound: `lower_bound` mirrored.

    Shape:
        Any; the result has the same shape.

    Raises:
        ValueError: If `gradient` is none of the three modes.
    """
    return _bound(x, bound, False, gradient)
