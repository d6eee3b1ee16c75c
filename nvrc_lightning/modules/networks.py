"""What a recipe says about the network; the clip says the rest."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from nvrc_components.errors import InputError
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
    """

    size: str = "auto"
    base_grids: tuple[tuple[int, int, int], ...] = ()
    stage_grids: tuple[tuple[int, int], ...] = ()
    local_channels: int = -1

    def build(self, fmt: VideoFormat) -> nn.Module:
        """Return the network."""
        changes: dict[str, Any] = {}
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
