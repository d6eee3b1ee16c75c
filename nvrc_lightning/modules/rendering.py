"""Patches of frames by the cheaper of two ways that give the same: each with its surroundings, or cut from frames."""

from collections.abc import Callable

import torch
from torch import Tensor

from nvrc_components.representations.patches import Region
from nvrc_components.representations.representation import Representation

__all__ = ["crops", "render_patches"]


def render_patches(
    call: Callable[[Tensor, Region | None], Tensor], network: Representation, frames: Tensor, region: Region
) -> Tensor:
    """Return a patch of each frame.

    Patches that make up most of their frames are cut from whole ones: neighbours then share what surrounds them.

    Args:
        call: renders frames, or a patch of each, with the network.
        network: tells what either costs.
        frames: frame numbers.
        region: where the patches lie.

    Shape: `frames` (B,) -> (B, 3, h, w).
    """
    distinct = sorted(set(frames.tolist()))
    if len(frames) * network.patch_cost(region) <= len(distinct):
        return call(frames, region)
    numbers = torch.tensor(distinct, device=frames.device)
    places = torch.stack([torch.searchsorted(numbers, frames.contiguous()), region.tops, region.lefts], 1)
    return crops(call(numbers, None), places, region.height, region.width)


def crops(frames: Tensor, places: Tensor, height: int, width: int) -> Tensor:
    """Return patches of frames.

    Shape: `frames` (T, C, H, W), `places` (B, 3) of frame, top and left -> (B, C, height, width).
    """
    return torch.stack([frames[t, :, y : y + height, x : x + width] for t, y, x in places.tolist()])
