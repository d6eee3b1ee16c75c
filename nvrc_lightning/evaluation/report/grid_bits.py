"""Bits that each parameter of a file's feature grids costs, as maps of a few temporal slices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nvrc_components.bitstream.video_file import load
from nvrc_components.groups import TensorCodec
from nvrc_components.representations.grids import FeatureGrid

__all__ = ["GridBits", "grid_bits"]

_SLICES = 4


@dataclass(frozen=True)
class GridBits:
    """What one level of the grids costs.

    Args:
        name: of the parameter in the network.
        channels: of the grid.
        slices: temporal length of the grid.
        bits: of all its symbols together, by the entropy model.
        shown: numbers of the slices that have a map.
        maps: bits per parameter, mean over channels.

    Shape:
        maps: (shown, height, width), bits.
    """

    name: str
    channels: int
    slices: int
    bits: float
    shown: tuple[int, ...]
    maps: NDArray[np.float32]

    @property
    def parameters(self) -> int:
        """Numbers the grid holds."""
        return self.slices * self.channels * self.maps.shape[1] * self.maps.shape[2]

    @property
    def mean(self) -> float:
        """Bits per parameter."""
        return self.bits / self.parameters


def grid_bits(path: Path) -> tuple[GridBits, ...]:
    """All feature grids of a file, in coding order.

    Raises:
        InputError: it cannot be read.
        BitstreamError: it is foreign, newer, truncated or corrupted.
    """
    with torch.random.fork_rng(devices=[]):  # a network is initialised before its parameters are read
        compressed = load(path).compressed
    parameters = dict(compressed.module.named_parameters())
    grids = {f"{name}.grid" for name, module in compressed.module.named_modules() if isinstance(module, FeatureGrid)}
    pairs = zip(compressed.names, compressed.tensor_codecs(), strict=True)
    return tuple(_level(name, codec, parameters[name]) for name, codec in pairs if name in grids)


@torch.no_grad()
def _level(name: str, codec: TensorCodec, grid: torch.Tensor) -> GridBits:
    bits = codec.entropy_model.symbol_bits(codec.rounded(name, grid), codec.quantizer.log2_step()).float()
    slices, channels = bits.shape[:2]
    shown = tuple(sorted({round(at) for at in np.linspace(0, slices - 1, _SLICES)}))
    return GridBits(
        name=name.removesuffix(".grid"),
        channels=channels,
        slices=slices,
        bits=float(bits.double().sum()),
        shown=shown,
        maps=bits[list(shown)].mean(1).numpy(),
    )
