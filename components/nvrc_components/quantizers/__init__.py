"""What a quantisation step is shared by, and, apart from it, what stands in for rounding while training."""

from typing import Final

from nvrc_components.quantizers.base import Quantizer
from nvrc_components.quantizers.block import BlockQuantizer
from nvrc_components.quantizers.dual_axis import DualAxisQuantizer
from nvrc_components.quantizers.fixed import FixedQuantizer
from nvrc_components.quantizers.surrogates import (
    AdditiveUniform,
    QuantNoise,
    SoftRoundKumaraswamy,
    StraightThrough,
    Surrogate,
)
from nvrc_components.quantizers.symmetric import SymmetricQuantizer
from nvrc_components.quantizers.tensor import TensorQuantizer
from nvrc_components.quantizers.windows import WHOLE, Window

QUANTIZERS: Final[dict[int, type[Quantizer]]] = {
    cls.kind: cls for cls in (TensorQuantizer, DualAxisQuantizer, BlockQuantizer)
}
"""Quantisers by the number that names them in a file."""

__all__ = [
    "QUANTIZERS",
    "WHOLE",
    "AdditiveUniform",
    "BlockQuantizer",
    "DualAxisQuantizer",
    "FixedQuantizer",
    "QuantNoise",
    "Quantizer",
    "SoftRoundKumaraswamy",
    "StraightThrough",
    "Surrogate",
    "SymmetricQuantizer",
    "TensorQuantizer",
    "Window",
]
