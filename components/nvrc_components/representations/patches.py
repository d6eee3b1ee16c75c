"""Which pixels to compute: the whole frame, or one patch of each sample with the surroundings it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

HALO = 1  # a 3x3 depthwise convolution sees one pixel further on every side


@dataclass(frozen=True)
class Region:
    """One patch of equal size for each sample.

    Shape: ``tops``, ``lefts`` (B,) int64, the first row and column of each patch inside the frame.
    """

    height: int
    width: int
    tops: Tensor
    lefts: Tensor


class AxisPlan(NamedTuple):
    """What one stage reads and writes along one axis, for a batch of patches.

    Positions outside the frame are part of the plan: before upsampling they repeat the edge (``fetch`` is
    clamped), before a convolution they are zero (``inside`` is 0), exactly as in a whole frame.

    Shape: ``fetch`` (B, n) positions in the tensor that comes in; ``clamped`` (B, m) frame positions after
    upsampling and trimming, clamped into the frame; ``inside`` (B, m) 1.0 inside the frame and 0.0 outside.
    ``trim`` is how many upsampled pixels at either end lack a neighbour and are dropped.
    """

    fetch: Tensor
    clamped: Tensor
    inside: Tensor
    trim: int


class StagePlan(NamedTuple):
    """Both axes of one stage."""

    rows: AxisPlan
    columns: AxisPlan


class PatchPlan(NamedTuple):
    """Every stage, and where the asked pixels lie in the last stage's output.

    Shape: ``rows`` (B, height), ``columns`` (B, width).
    """

    stages: list[StagePlan]
    rows: Tensor
    columns: Tensor


def _low_needs(start: Tensor, count: int, depth: int, stride: int) -> tuple[Tensor, int]:
    """The low-resolution span whose upsampling covers ``[start, start + count)`` and ``depth`` halos."""
    trim = stride // 2
    low = torch.div(start - depth * HALO - trim, stride, rounding_mode="floor")
    return low, -(-(stride - 1 + count + 2 * (depth * HALO + trim)) // stride)


def plan_axis(
    starts: Tensor, count: int, sizes: Sequence[int], depths: Sequence[int], strides: Sequence[int]
) -> tuple[list[AxisPlan], Tensor]:
    """Plans one axis from the pixels asked back to the first stage's input.

    Args:
        starts: First pixel asked of each sample.
        count: Number of pixels asked.
        sizes: Frame size at the input of the first stage, then at the output of every stage.
        depths: Blocks of each stage.
        strides: Upsampling factor of each stage.

    Shape: ``starts`` (B,) -> one plan for each stage, and (B, count) positions in the last output.
    """
    spans: list[tuple[Tensor, int]] = [(starts, count)]
    for depth, stride in zip(reversed(depths), reversed(strides), strict=True):
        spans.insert(0, _low_needs(*spans[0], depth, stride))
    plans = []
    origin = torch.zeros_like(starts)  # the first stage's input is the whole frame
    for i, (depth, stride) in enumerate(zip(depths, strides, strict=True)):
        low, length = spans[i]
        trim = stride // 2
        fetch = (low[:, None] + torch.arange(length, device=starts.device)).clamp(0, sizes[i] - 1)
        first = stride * low + trim
        at = first[:, None] + torch.arange(stride * length - 2 * trim, device=starts.device)
        clamped = at.clamp(0, sizes[i + 1] - 1)
        plans.append(AxisPlan(fetch - origin[:, None], clamped, (at == clamped).float(), trim))
        origin = first + depth * HALO
    return plans, starts[:, None] - origin[:, None] + torch.arange(count, device=starts.device)


def take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Cuts a rectangle, its own for each sample.

    Shape: ``x`` (B, H, W, C), ``rows`` (B, h), ``columns`` (B, w) -> (B, h, w, C).
    """
    samples = torch.arange(x.shape[0], device=x.device)[:, None, None]
    return x[samples, rows[:, :, None], columns[:, None, :]]
