"""MS-SSIM as a training loss needs it: small windows, small pictures, and little time.

It runs in every step, so the structure term comes with a hand-written gradient. With s = x + y and d = x - y,
and E a Gaussian-weighted local mean, only four local means are needed where the textbook form has five:

    vs = E[s^2] - E[s]^2,  vd = E[d^2] - E[d]^2,  contrast-structure = 1 - vd / ((vs + vd) / 2 + C2)

and likewise luminance = 1 - E[d]^2 / ((E[s]^2 + E[d]^2) / 2 + C1). The difference is formed before squaring,
which also keeps small errors exact in float32.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["ms_ssim", "scales_for"]

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2
# A product of powers has an infinite gradient where a factor is 0, as it is for an untrained network.
_FACTOR_FLOOR = 1e-3


def scales_for(height: int, width: int, window: int) -> int:
    """How many of the five scales a picture allows: the coarsest must still be a window wide and high.

    Each scale halves both sides, rounding down, so ``n`` scales need ``window * 2**(n - 1)`` pixels: 80 for
    all five with a 5x5 window.

    Raises:
        ValueError: the picture is smaller than one window.
    """
    side = min(height, width)
    if side < window:
        raise ValueError(f"MS-SSIM needs patches of at least {window}x{window} pixels, not {width}x{height}")
    return min(len(_SCALE_WEIGHTS), (side // window).bit_length())


def ms_ssim(prediction: Tensor, target: Tensor, window: int = 5) -> Tensor:
    """Multi-scale structural similarity for training, averaged over pictures and channels.

    Equal to the standard definition with a Gaussian window of sigma 1.5 and valid borders while five scales
    fit (see ``scales_for``). Smaller pictures use the scales that fit, their weights scaled to keep the sum;
    such values are for training only and not comparable between picture sizes. Odd sides drop their last
    row or column when halved. Factors are bounded below by 0.001 so that the gradient stays finite.

    Shape:
        prediction, target: (B, C, h, w) float32 in [0, 1]; ``target`` gets no gradient. Output: scalar.

    Raises:
        ValueError: the pictures are smaller than the window.

    Source: Wang, Simoncelli and Bovik, "Multiscale structural similarity", 2003.
    """
    weights = _SCALE_WEIGHTS[: scales_for(prediction.shape[-2], prediction.shape[-1], window)]
    taps = _gaussian_taps(window)
    x, y = prediction.contiguous(), target.contiguous()
    factors = []
    for _ in weights[1:]:
        factors.append(_ContrastStructure.apply(x, y, taps))
        x, y = _Halve.apply(x), _Halve.apply(y)
    factors.append(_similarity(x, y, taps))
    exponents = prediction.new_tensor(weights).mul(sum(_SCALE_WEIGHTS) / sum(weights)).view(-1, 1, 1)
    return torch.stack(factors).clamp_min(_FACTOR_FLOOR).pow(exponents).prod(dim=0).mean()


def _gaussian_taps(size: int) -> tuple[float, ...]:
    """Weights of a 1-D Gaussian window, odd in size, summing to one."""
    if size % 2 == 0:
        raise ValueError(f"the MS-SSIM window must have an odd side, not {size}")
    raw = [math.exp(-((i - size // 2) ** 2) / (2 * _SIGMA**2)) for i in range(size)]
    return tuple(value / sum(raw) for value in raw)


def _blur(x: Tensor, taps: Sequence[float]) -> Tensor:
    """Separable filter over the last two axes, valid positions only.

    Shifted additions: at 480x272 they are three times as fast on a CPU as a depthwise convolution of planar
    pictures, and need no change of layout.

    Shape:
        x: (..., h, w). Output: (..., h - n + 1, w - n + 1) for n taps.
    """
    centre = len(taps) // 2
    for axis in (-2, -1):
        length = x.shape[axis] - 2 * centre
        blurred = x.narrow(axis, centre, length) * taps[centre]
        for offset, tap in enumerate(taps):
            if offset != centre:
                blurred.add_(x.narrow(axis, offset, length), alpha=tap)
        x = blurred
    return x


def _moments(s: Tensor, d: Tensor, taps: Sequence[float]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Local means of s and d and their local variances, each (B, C, h', w')."""
    mean_s, mean_d, power_s, power_d = _blur(torch.stack([s, d, s * s, d * d]), taps).unbind(0)
    return mean_s, mean_d, power_s - mean_s.square(), power_d - mean_d.square()


def _similarity(x: Tensor, y: Tensor, taps: Sequence[float]) -> Tensor:
    """Luminance times contrast-structure, averaged over positions, (B, C): the coarsest factor."""
    mean_s, mean_d, var_s, var_d = _moments(x + y, x - y, taps)
    structure = 1 - var_d / ((var_s + var_d) / 2 + _C2)
    luminance = 1 - mean_d**2 / ((mean_s**2 + mean_d**2) / 2 + _C1)
    return (luminance * structure).mean(dim=(-2, -1))


class _Halve(torch.autograd.Function):
    """2x2 averages; strided additions, eight times as fast on a CPU as the pooling operator."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h // 2, w // 2)."""
        ctx.shape = x.shape
        height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
        rows = x[..., 0:height:2, :width] + x[..., 1:height:2, :width]
        return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """A quarter of each average's gradient to its four pixels."""
        gradient = grads[0].new_zeros(ctx.shape)
        rows = grads[0].repeat_interleave(2, dim=-1).mul_(0.25)
        height, width = rows.shape[-2] * 2, rows.shape[-1]
        gradient[..., 0:height:2, :width] = rows
        gradient[..., 1:height:2, :width] = rows
        return gradient


class _ContrastStructure(torch.autograd.Function):
    """Mean contrast-structure of each channel, and its gradient by x, computed together.

    The gradient is linear in the one number that comes back for a channel, so the forward pass can finish it
    while the local statistics are still in cache: three more filters instead of autograd's four, and one
    saved picture.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, taps: tuple[float, ...]) -> Tensor:
        """Mean over positions of 1 - vd / ((vs + vd) / 2 + C2), (B, C)."""
        # On a CPU one picture at a time stays in cache, which halves the time of a batch of four.
        chunk = 1 if x.device.type == "cpu" else len(x)
        wanted = ctx.needs_input_grad[0]
        pairs = zip(torch.split(x, chunk), torch.split(y, chunk), strict=True)
        values, gradients = zip(*(_structure_and_gradient(*pair, taps, wanted) for pair in pairs), strict=True)
        if wanted:
            ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None]:
        """Scale the saved gradient of each channel."""
        if not ctx.needs_input_grad[0]:
            return None, None, None
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0][..., None, None], None, None


def _structure_and_gradient(x: Tensor, y: Tensor, taps: Sequence[float], wanted: bool) -> tuple[Tensor, Tensor | None]:
    """Mean contrast-structure, (B, C), and where ``wanted`` its derivative by x, (B, C, h, w).

    With D = (vs + vd) / 2 + C2 the derivatives by the local variances are gs = vd / (2 D^2) and
    gd = gs - 1 / D; those by the local means follow, and the transposed filter spreads all three.
    """
    s, d = x + y, x - y
    mean_s, mean_d, var_s, var_d = _moments(s, d, taps)
    inverse = var_s.add_(var_d).mul_(0.5).add_(_C2).reciprocal_()
    loss = var_d.mul_(inverse)
    value = 1 - loss.mean(dim=(-2, -1))
    if not wanted:
        return value, None
    share = 1 / (loss.shape[-2] * loss.shape[-1])
    by_var_s = loss.mul_(inverse).mul_(share / 2)
    by_var_d = by_var_s.sub(inverse, alpha=share)
    by_mean = mean_s.mul_(by_var_s).addcmul_(mean_d, by_var_d)
    margin = len(taps) - 1
    spread = _blur(F.pad(torch.stack([by_mean, by_var_s, by_var_d]), [margin] * 4), taps)
    return value, s.mul_(spread[1]).addcmul_(d, spread[2]).sub_(spread[0]).mul_(2)
