"""Which pixels to compute: the whole frame, or one patch of each sample with the surroundings it needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

HALO = 1  # a 3x3 depthwise convolution sees one pixel further on every side


@dataclass(frozen=True)
class Region:
    """One patch of equal size for each sample.

    Attributes:
        height: Rows of a patch.
        width: Columns of a patch.
        tops: First row of each patch inside the frame.
        lefts: First column of each patch inside the frame.
        multiple: The largest number of which all of these are multiples. With it the surroundings can be cut to what
            is needed: patches that tile a frame begin alike in every stage.

    Shape: ``tops``, ``lefts`` (B,) int64.
    """

    height: int
    width: int
    tops: Tensor
    lefts: Tensor
    multiple: int = field(init=False)

    def __post_init__(self) -> None:
        # Once and here: within a compiled network it would be one more wait for the device.
        multiple = math.gcd(self.height, self.width, *self.tops.tolist(), *self.lefts.tolist())
        object.__setattr__(self, "multiple", multiple)


class AxisPlan(NamedTuple):
    """What one stage reads and writes along one axis, for a batch of patches.

    Positions outside the frame are part of the plan: before upsampling they repeat the edge (``fetch`` is
    clamped), before a convolution they are zero (``inside`` is 0), exactly as in a whole frame.

    Shape: ``fetch`` (B, n) positions in the tensor that comes in; ``clamped`` (B, m) frame positions after
    upsampling and trimming, clamped into the frame; ``inside`` (B, m) 1.0 inside the frame and 0.0 outside.
    ``trim`` is how many upsampled pixels before these m are dropped: they lack a neighbour, or nothing needs them.
    """

    fetch: Tensor
    clamped: Tensor
    inside: Tensor
    trim: int


class StagePlan(NamedTuple):
    """Both axes of one stage."""

    rows: AxisPlan
    columns: AxisPlan


class AxisPlans(NamedTuple):
    """All stages along one axis.

    Shape: ``base`` (B, n) positions to compute at the stem's resolution; ``stages`` one plan for each stage;
    ``asked`` (B, count) where the asked pixels lie in the last stage's output.
    """

    base: Tensor
    stages: list[AxisPlan]
    asked: Tensor


class _Span(NamedTuple):
    """What of one resolution is needed.

    Shape: ``start`` (B,) first position of each sample, ``phase`` more than a multiple of ``multiple``.
    """

    start: Tensor
    size: int
    multiple: int
    phase: int


class _Step(NamedTuple):
    """What one stage upsamples, and of the result the ``size`` pixels after the first ``trim``."""

    low: _Span
    trim: int
    size: int


def _step_to(span: _Span, depth: int, stride: int) -> _Step:
    """The least low-resolution span whose upsampling covers a span with ``depth`` halos.

    Where the samples' spans begin differently against the stride, it has room for all of them.
    """
    edge = stride // 2  # upsampled pixels that lack a neighbour at either end
    size = span.size + 2 * depth * HALO
    first = span.start - depth * HALO - edge
    phase = (span.phase - depth * HALO - edge) % span.multiple
    known = span.multiple % stride == 0
    before = phase % stride if known else stride - 1
    length = -(-(before + size + 2 * edge) // stride)
    multiple = span.multiple // stride if known else 1
    low = _Span(torch.div(first, stride, rounding_mode="floor"), length, multiple, phase // stride if known else 0)
    return _Step(low, edge + before, size) if known else _Step(low, edge, stride * length - 2 * edge)


def plan_axis(
    starts: Tensor, count: int, multiple: int, sizes: Sequence[int], depths: Sequence[int], strides: Sequence[int]
) -> AxisPlans:
    """Plans one axis from the pixels asked back to the first stage's input.

    Args:
        starts: First pixel asked of each sample.
        count: Number of pixels asked.
        multiple: A number of which all of ``starts`` are multiples.
        sizes: Frame size at the input of the first stage, then at the output of every stage.
        depths: Blocks of each stage.
        strides: Upsampling factor of each stage.

    Shape: ``starts`` (B,).
    """
    device = starts.device
    steps: list[_Step] = []
    span = _Span(starts, count, multiple, 0)
    for depth, stride in zip(reversed(depths), reversed(strides), strict=True):
        steps.insert(0, _step_to(span, depth, stride))
        span = steps[0].low
    base = (span.start[:, None] + torch.arange(span.size, device=device)).clamp(0, sizes[0] - 1)
    fetch = torch.arange(span.size, device=device).expand_as(base)  # the stem computes just these positions
    origin = span.start  # frame position of the first entry of the tensor that comes in
    plans = []
    for i, (step, depth, stride) in enumerate(zip(steps, depths, strides, strict=True)):
        if i > 0:
            wanted = step.low.start[:, None] + torch.arange(step.low.size, device=device)
            fetch = wanted.clamp(0, sizes[i] - 1) - origin[:, None]
        first = stride * step.low.start + step.trim
        at = first[:, None] + torch.arange(step.size, device=device)
        clamped = at.clamp(0, sizes[i + 1] - 1)
        plans.append(AxisPlan(fetch, clamped, (at == clamped).float(), step.trim))
        origin = first + depth * HALO
    return AxisPlans(base, plans, starts[:, None] - origin[:, None] + torch.arange(count, device=device))


class AxisBlend(NamedTuple):
    """Bilinear resizing along one axis at chosen positions only, from a span of the smaller axis.

    Shape: ``span`` (B, m) positions in the smaller axis, up to one beyond its ends; ``low``, ``high`` (B, n)
    places within the span's inner part (without its first and last entry); ``weight`` (B, n) of ``high``.
    """

    span: Tensor
    low: Tensor
    high: Tensor
    weight: Tensor


def plan_blend(positions: Tensor, size: int, full: int) -> AxisBlend:
    """Where ``positions`` of an axis of ``full`` entries lie in one of ``size`` (pixel centres aligned).

    Shape: ``positions`` (B, n), rising along n.
    """
    source = ((2 * positions + 1) * size - full).clamp(min=0)
    low = torch.div(source, 2 * full, rounding_mode="floor")
    weight = (source - low * (2 * full)).float() / (2 * full)
    start = low[:, :1]
    count = (positions.shape[1] - 1) * size // full + 3  # the last position's low, high, and a rounding step
    span = start - HALO + torch.arange(count + 2 * HALO, device=positions.device)
    high = (low + 1).clamp(max=size - 1)
    return AxisBlend(span, low - start, high - start, weight)


def blend(x: Tensor, rows: AxisBlend, columns: AxisBlend) -> Tensor:
    """Resizes spans to the positions they were planned for.

    Shape: ``x`` (B, h, w, C), the spans' inner parts -> (B, n, m, C).
    """
    samples = torch.arange(x.shape[0], device=x.device)[:, None]
    x = torch.lerp(x[samples, rows.low], x[samples, rows.high], rows.weight[:, :, None, None].to(x.dtype))
    x = x.transpose(1, 2)
    weight = columns.weight[:, :, None, None].to(x.dtype)
    return torch.lerp(x[samples, columns.low], x[samples, columns.high], weight).transpose(1, 2)


def take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Cuts a rectangle, its own for each sample.

    Shape: ``x`` (B, H, W, C), ``rows`` (B, h), ``columns`` (B, w) -> (B, h, w, C).
    """
    samples = torch.arange(x.shape[0], device=x.device)[:, None, None]
    return x[samples, rows[:, :, None], columns[:, None, :]]
