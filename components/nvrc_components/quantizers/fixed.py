"""One step for a whole tensor that stays as it is."""

from torch import Tensor

from nvrc_components.quantizers.base import constant
from nvrc_components.quantizers.tensor import TensorQuantizer
from nvrc_components.side import SideTensor


class FixedQuantizer(TensorQuantizer):
    """A step that is given and never learned, to measure what learning it is worth; in a file a `TensorQuantizer`.

    Args:
        tensor: The tensor.
        log2_step: log2 of the step in the tensor's units, stored in eighths.
    """

    def __init__(self, tensor: Tensor, log2_step: float = -6.0) -> None:
        super().__init__(tensor)
        self.shared = SideTensor(constant(log2_step))
        self.shared.value.requires_grad_(False)
