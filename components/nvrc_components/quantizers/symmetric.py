"""Dual-axis steps that spread a number of bits over the range of the data, as post-training quantisation does."""

import torch.nn.functional as F
from torch import Tensor

from nvrc_components.quantizers.dual_axis import DualAxisQuantizer, matrix_shape


class SymmetricQuantizer(DualAxisQuantizer):
    """step = 2 max|x| / (2^bits - 1) of each row, to the nearest 1/8 octave; in a file it is a `DualAxisQuantizer`.

    Where a row is too short for a step of its own, of each column; where columns are too, of the tensor. Steps are not
    trained: `CompressedModule.calibrate` fits them to a tensor that has changed.

    Source: Kwan et al., "HiNeRV: Video compression with hierarchical encoding-based neural representation",
    NeurIPS 2023. Its official code has a step for each slice along the longest axis; at 8, 7 and 6 bits that costs 6 to
    8 % more bytes for 0.02 to 0.14 dB (a small network fitted to bunny at 192x128).

    Raises:
        ValueError: `bits` is not above 1.
    """

    def __init__(self, tensor: Tensor, bits: float = 8.0) -> None:
        super().__init__(tensor)
        if not bits > 1:
            raise ValueError(f"SymmetricQuantizer: bits must be above 1, got {bits}")
        magnitudes = tensor.detach().float().abs().reshape(matrix_shape(tensor.shape))
        if self.steps.has_rows:
            peaks, start = magnitudes.amax(1), self.steps.rows
        elif self.steps.has_columns:
            peaks, start = magnitudes.amax(0), self.steps.columns
        else:
            peaks, start = F.pad(magnitudes.flatten(), (0, 1)).amax(), self.steps.whole  # padded, for it may be empty
        start.value.data.copy_((peaks * (2 / (2**bits - 1))).log2().clamp_min(-start.limit) / start.pace)
        start.log2_step.data.fill_(-3.0)
        self.requires_grad_(False)
