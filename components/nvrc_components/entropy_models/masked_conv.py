"""Masked 3-D convolutions: NVRC's autoregressive model of a grid (arXiv 2409.07414, section 3.3), in integers.

    grid -> blocks -> wave 1, 2, ...: decoded symbols before it -> MaskedConv3dNetwork -> mean, scale -> coder

A position sees up to 62 earlier symbols of its block and channel directly, and through hidden units those of three
kernels' reach. A block of 16x8x8 takes 164 waves, where the octree takes 10 passes.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from nvrc_components.coding.range_coder import SymbolDecoder
from nvrc_components.entropy_models.base import coded_bits, snap_log2_scale, snap_mean, symbol_integers
from nvrc_components.entropy_models.context import AUTO, Block, ContextModel, Filled, Predictions, fitted
from nvrc_components.entropy_models.masked_conv_coding import WavePredictor
from nvrc_components.entropy_models.masked_conv_layout import layout_of, most_waves
from nvrc_components.entropy_models.masked_conv_network import WIDEST, MaskedConv3dNetwork
from nvrc_components.functional import merge_blocks, split_blocks

_MOST_WAVES: Final = 1024


class MaskedConv3dContext(ContextModel):
    """Context model of one feature grid that codes its positions in raster order, as far as they depend on each other.

    Shape: grid (T, C, H, W). `width` counts the hidden units of either layer, up to 8 as in the paper; 0 leaves the
    direct paths (AUTO: by the number of symbols, so that the network does not outweigh its gain).

    Raises:
        ValueError: for a width beyond 8, a block of more than 1024 waves, or a tensor that is no grid.
    """

    kind: ClassVar[int] = 4

    def __init__(self, tensor: Tensor, block: Block = (16, 8, 8), width: int = AUTO) -> None:
        super().__init__(tensor, block)
        self.width = width
        if most_waves(block) > _MOST_WAVES:
            raise ValueError(f"blocks of {block} take {most_waves(block)} waves, more than {_MOST_WAVES}")
        if not AUTO <= width <= WIDEST:
            raise ValueError(f"width is {width}, outside 0..{WIDEST} and AUTO = {AUTO}")
        chosen = _auto_width(tensor.numel()) if width == AUTO else width
        self.network = MaskedConv3dNetwork(tensor.shape[1], chosen)

    def symbol_bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of each symbol in one parallel pass: every position sees what its wave will see.

        Shape: (T, C, H, W) -> the same, bits.
        """
        block = fitted(self.block, symbols.shape)
        with torch.autocast(symbols.device.type, enabled=False):
            blocks, mean, log2_scale = self._distributions(symbols.float(), block)
        return merge_blocks(coded_bits(blocks, mean, log2_scale), tuple(symbols.shape), block)

    def check_exact(self) -> None:
        """Require the network's sums to be exact.

        Raises:
            InputError: they are not.
        """
        self.network.check_exact()

    def extra_repr(self) -> str:
        """Return what the width came to."""
        return f"{self.network.width} hidden units"

    def configuration(self) -> Sequence[int]:
        """Return block and the network's width (or AUTO)."""
        return *self.block, self.width

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return the model of these blocks and width.

        Raises:
            ValueError: not four integers in their ranges.
        """
        if len(configuration) != 4:
            raise ValueError(
                f"MaskedConv3dContext: {tuple(configuration)} is no configuration for {tuple(tensor.shape)}"
            )
        bt, bh, bw, width = configuration
        return cls(tensor, (bt, bh, bw), width)

    def _distributions(self, grid: Tensor, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        blocks = split_blocks(grid, block)
        mean, log2_scale = self.network(blocks, layout_of(block))
        return blocks, snap_mean(mean), snap_log2_scale(log2_scale)

    def _predictions(self, towers: Tensor, block: Block) -> Predictions:
        layout = layout_of(block)
        symbols = symbol_integers(towers[layout.order]).reshape(len(layout.order), -1)
        predictor = WavePredictor(self.network, layout, symbols.shape[1])
        predictor.put(slice(len(symbols)), symbols)
        found = [predictor.predict(wave) for wave in layout.waves]
        means, scales = (np.concatenate(part) for part in zip(*found, strict=True))
        return Predictions(layout.order, [wave.size for wave in layout.waves], means, scales)

    def _decode_towers(self, filled: Filled, block: Block, decoder: SymbolDecoder, device: torch.device) -> Tensor:
        layout, columns = layout_of(block), filled.shape[1]
        predictor = WavePredictor(self.network, layout, columns)
        valid, symbols = filled[layout.order.numpy()], np.zeros(filled.shape, dtype=np.int64)
        full = valid.all(1)
        for wave in layout.waves:
            means, scales = predictor.predict(wave)
            rows, kept = symbols[wave.positions], valid[wave.positions]
            if full[wave.positions].all():
                rows[:] = decoder.decode(means.ravel(), scales.ravel()).reshape(rows.shape)
            else:
                rows[kept] = decoder.decode(means[kept], scales[kept])
            predictor.put(wave.positions, rows)
        decoded = torch.zeros(len(symbols) + 1, columns, dtype=torch.float64, device=device)
        decoded[layout.order.to(device)] = torch.from_numpy(symbols).to(decoded)
        return decoded


def _auto_width(symbols: int) -> int:
    """A hidden unit must have enough symbols to earn its weights' bits back."""
    return 0 if symbols < 1 << 17 else 4 if symbols < 1 << 20 else 8
