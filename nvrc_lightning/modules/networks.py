"""What a recipe says about the network; the clip says the rest."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from nvrc_components.errors import InputError
from nvrc_components.representations.hinerv import HiNerv, hinerv_config
from nvrc_components.representations.nvrc_lite import NvrcLite, nvrc_lite_config
from nvrc_components.video_format import VideoFormat


class Network(ABC):
    """Builds a representation for a clip's geometry."""

    @abstractmethod
    def build(self, fmt: VideoFormat) -> nn.Module:
        """Return a fresh network for the clip.

        Raises:
            InputError: an option does not fit.
        """


@dataclass
class NvrcLiteNetwork(Network):
    """NVRC-Lite in one of its sizes; whatever else is given overrides the size's preset.

    Args:
        size: auto (by the number of source pixels), xxs, xs, s, m or l.
        base_grids: levels under the stem, each (channels, time divisor, space divisor).
        stage_grids: one per stage, (channels, time divisor); 0 channels for none.
        local_channels: channels of the finest local grid; 0 for none, -1 for the preset's.
        shortcut: carry the input across blocks that change width, by a linear map.
    """

    size: str = "auto"
    base_grids: tuple[tuple[int, int, int], ...] = ()
    stage_grids: tuple[tuple[int, int], ...] = ()
    local_channels: int = -1
    shortcut: bool = True

    def build(self, fmt: VideoFormat) -> nn.Module:
        """Return the network."""
        changes: dict[str, Any] = {"shortcut": int(self.shortcut)}
        if self.base_grids:
            changes["base_grids"] = tuple(tuple(grid) for grid in self.base_grids)
        if self.stage_grids:
            changes["stage_grids"] = tuple(tuple(grid) for grid in self.stage_grids)
        if self.local_channels >= 0:
            changes["local_channels"] = self.local_channels
        try:
            config = nvrc_lite_config(self.size, fmt.frames, fmt.height, fmt.width)
            return NvrcLite(replace(config, **changes))
        except ValueError as error:
            raise InputError(f"model.network: {error}") from error


@dataclass
class HiNervNetwork(Network):
    """HiNeRV in one of its sizes; whatever else is given overrides the size's preset.

    Args:
        size: auto (by the number of source pixels); s1, s2, s3, s4 or xxl of NVRC, or smaller: w32, w64, w96, w144;
            of version 1: s, m, l, xl, xxl, for MCL-JCV mcl-xxs, mcl-xs, mcl-s, mcl-m, mcl-l, or smaller: w48, w96.
        version: 2 for NVRC's network, 1 for the original HiNeRV.
        widths: channels of each stage.
        depths: blocks of each stage.
        strides: upsampling factor of each stage.
        expansion: hidden channels of each stage's blocks as a multiple of their width.
        grid_slices: temporal length of the finest base grid; 0 for a third of the frames (a quarter in version 1).
        grid_channels: channels of the finest base grid; 0 for the preset's.
        grid_levels: number of base grids; 0 for the preset's.
        local_channels: channels of the first stage's finest local grid; 0 for no local grids, -1 for the preset's.
        shortcut: carry the input across blocks that change width, by a linear map; never as published.
    """

    size: str = "auto"
    version: int = 2
    widths: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    expansion: tuple[int, ...] = ()
    grid_slices: int = 0
    grid_channels: int = 0
    grid_levels: int = 0
    local_channels: int = -1
    shortcut: bool = False

    def build(self, fmt: VideoFormat) -> nn.Module:
        """Return the network."""
        series = {name: tuple(getattr(self, name)) for name in ("widths", "depths", "strides", "expansion")}
        numbers = {name: getattr(self, name) for name in ("grid_slices", "grid_channels", "grid_levels")}
        changes: dict[str, Any] = {name: value for name, value in (series | numbers).items() if value}
        if self.local_channels >= 0:
            changes["local_channels"] = self.local_channels
        try:
            config = hinerv_config(self.size, fmt.frames, fmt.height, fmt.width, self.version)
            return HiNerv(replace(config, shortcut=int(self.shortcut), **changes))
        except ValueError as error:
            raise InputError(f"model.network: {error}") from error
