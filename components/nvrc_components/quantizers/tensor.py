"""One step for a whole tensor."""

from typing import ClassVar

import torch
from torch import Tensor

from nvrc_components.functional.exact import exact_exp2
from nvrc_components.quantizers.base import Quantizer, constant, initial_log2_step
from nvrc_components.quantizers.windows import WHOLE, Window
from nvrc_components.side import SideTensor


class TensorQuantizer(Quantizer):
    """A learned step shared by all elements of a tensor."""

    kind: ClassVar[int] = 1

    def __init__(self, tensor: Tensor, bits: float = 5.0) -> None:
        super().__init__(tensor)
        self.shared = SideTensor(constant(initial_log2_step(tensor, bits)))

    def log2_step(self, window: Window = WHOLE) -> Tensor:
        """Return the scalar log2-step."""
        result: Tensor = self.shared()
        return result

    def step(self, window: Window = WHOLE) -> Tensor:
        """Return the scalar step."""
        return exact_exp2(self.shared())

    @torch.no_grad()
    def scale_steps(self, octaves: float) -> None:
        """Add to the log2-step."""
        self.shared.add(octaves)

    @torch.no_grad()
    def balance(self, curvature: Tensor, noise: float) -> None:
        """Set the step by the mean curvature."""
        self.shared.assign((noise / curvature.mean()).log2() / 2)
