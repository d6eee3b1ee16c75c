"""Steps shared by 3-D blocks of a feature grid (NVRC section 3.2)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Self

from nvrc_components.functional import block_counts
from nvrc_components.functional.exact import exact_exp2
from nvrc_components.quantizers.base import STEP_PACE, Quantizer, constant
from nvrc_components.quantizers.windows import WHOLE, Window, take_rows
from nvrc_components.side import SideTensor


class BlockQuantizer(Quantizer):
    """One learned log2-step per block and channel of a grid.

    Shape: grid (T, C, H, W); blocks `block` = (bt, bh, bw), the last of an axis cut off where it does not fit.
    """

    kind: ClassVar[int] = 3

    def __init__(self, tensor: Tensor, block: tuple[int, int, int] = (16, 8, 8), log2_start: float = -4.0) -> None:
        super().__init__(tensor)
        self.block = block
        self.shape = tensor.shape
        nt, nh, nw = block_counts(tensor.shape, block)
        self.shared = SideTensor(constant(log2_start, nt, tensor.shape[1], nh, nw), pace=STEP_PACE, common=True)

    def log2_step(self, window: Window = WHOLE) -> Tensor:
        """Return the log2-steps of `grid[window]`.

        Shape: (T of the window, C, H, W), log2 of the grid's units.
        """
        return self._expand(self.shared(), window)

    def step(self, window: Window = WHOLE) -> Tensor:
        """Return the steps of `grid[window]`.

        Shape: (T of the window, C, H, W), the grid's units.
        """
        return self._expand(exact_exp2(self.shared()), window)

    @torch.no_grad()
    def scale_steps(self, octaves: float) -> None:
        """Add to the log2-steps."""
        self.shared.add(octaves)

    def configuration(self) -> Sequence[int]:
        """Return the block's size."""
        return self.block

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return the quantiser of these blocks.

        Raises:
            ValueError: not three sizes from 1 to 65536.
        """
        if len(configuration) != 3 or not all(1 <= n <= 1 << 16 for n in configuration) or tensor.dim() != 4:
            raise ValueError(f"BlockQuantizer: {tuple(configuration)} is not a block for {tuple(tensor.shape)}")
        return cls(tensor, (configuration[0], configuration[1], configuration[2]))

    def _expand(self, by_block: Tensor, window: Window) -> Tensor:
        # A forged block may be far larger than the grid; more repeats than rows are never wanted.
        bt, bh, bw = (min(b, n) for b, n in zip(self.block, (self.shape[0], *self.shape[2:]), strict=True))
        if isinstance(window, slice):
            start, stop, _ = window.indices(self.shape[0])
            rows = by_block[start // bt : -(-stop // bt)]
            rows = rows.repeat_interleave(bt, 0)[start % bt : start % bt + stop - start]
        else:
            rows = take_rows(by_block, window // bt)
        return rows.repeat_interleave(bh, 2).repeat_interleave(bw, 3)[..., : self.shape[2], : self.shape[3]]
