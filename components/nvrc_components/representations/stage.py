"""One stage of the synthesis: upsample, add what is stored at this resolution, refine."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvrc_components.representations.convnext import ConvNeXtBlock, channel_norm
from nvrc_components.representations.grids import FeatureGrid, LocalGrid
from nvrc_components.representations.patches import StagePlan, take
from nvrc_components.representations.pointwise import pointwise


class LocalEncoding(nn.Module):
    """Local grids of several temporal resolutions, concatenated and mapped to the stage's width.

    Args:
        grids: The local grids, finest in time first.
        c_out: Channels of the stage's input.
    """

    def __init__(self, grids: list[LocalGrid], c_out: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(grids)
        self.project = nn.Linear(sum(grid.grid.shape[-1] for grid in grids), c_out, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        """One tile for each frame.

        Shape: (B,) -> (B, factor, factor, c_out).
        """
        tiles: Tensor = self.project(torch.cat([level(frames) for level in self.levels], dim=-1))
        return tiles


class Stage(nn.Module):
    """Norm, bilinear upsampling, local encoding, stored features, ConvNeXt blocks.

    Args:
        channels: Width in and width out.
        depth: Number of blocks.
        stride: Upsampling factor.
        expansion: Of the blocks.
        shortcut: Of the blocks.
        size: Frame height and width at the stage's output.
        local: Local grids, possibly none.
        features: Grid at the stage's resolution, or None.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        depth: int,
        stride: int,
        expansion: int,
        shortcut: bool,
        size: tuple[int, int],
        local: list[LocalGrid],
        features: FeatureGrid | None,
    ) -> None:
        super().__init__()
        c_in, c_out = channels
        self.stride = stride
        self.size = size
        self.local = LocalEncoding(local, c_in) if local else None
        self.features = features
        self.inject = nn.Linear(features.grid.shape[1], c_in, bias=False) if features is not None else None
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(c_in if i == 0 else c_out, c_out, expansion, shortcut) for i in range(depth)
        )

    def forward(self, x: Tensor, frames: Tensor, plan: StagePlan | None) -> Tensor:
        """Runs the stage on whole frames, or on the spans of a plan.

        Shape: (B, h, w, C_in) -> (B, H, W, C_out).
        """
        x = channel_norm(x)
        if plan is None:
            x = self._upsample(x, frames)[:, : self.size[0], : self.size[1]]
            x = self._inject(x, frames, None)
            for block in self.blocks:
                x = block(x)
            return x
        x = self._upsample(take(x, plan.rows.fetch, plan.columns.fetch), frames)
        for axis, side in enumerate(plan, 1):
            x = x.narrow(axis, side.trim, side.inside.shape[1])
        x = self._inject(x, frames, plan)
        inside = (plan.rows.inside[:, :, None] * plan.columns.inside[:, None, :])[..., None].to(x.dtype)
        for i, block in enumerate(self.blocks):
            x = block(x * inside[:, i : inside.shape[1] - i, i : inside.shape[2] - i], padding=0)
        return x

    def _upsample(self, x: Tensor, frames: Tensor) -> Tensor:
        s = self.stride
        if s > 1:
            x = x.permute(0, 3, 1, 2)
            x = F.interpolate(x, scale_factor=s, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        if self.local is None:
            return x
        b, h, w, c = x.shape
        tiles: Tensor = self.local(frames)
        # Repeated along a row first: the gradient then sums whole rows, in long runs, before it sums tiles.
        band = tiles[:, :, None].expand(-1, -1, w // s, -1, -1).reshape(b, 1, s, w, c)
        return (x.reshape(b, h // s, s, w, c) + band).reshape(b, h, w, c)

    def _inject(self, x: Tensor, frames: Tensor, plan: StagePlan | None) -> Tensor:
        if self.features is None or self.inject is None:
            return x
        if plan is None:
            stored = self.features(frames).permute(0, 2, 3, 1)
        else:
            stored = self.features.crop(frames, plan.rows.clamped, plan.columns.clamped)
        return x + pointwise(stored, self.inject.weight)
