"""Distributions of quantised parameters: per tensor, dual-axis, and from context."""

from typing import Final

from nvrc_components.entropy_models.base import EntropyModel
from nvrc_components.entropy_models.gaussian import DualAxisGaussian, GaussianPrior
from nvrc_components.entropy_models.masked_conv import MaskedConv3dContext
from nvrc_components.entropy_models.octree import OctreeContext
from nvrc_components.entropy_models.sparse import ZeroInflatedGaussian

ENTROPY_MODELS: Final[dict[int, type[EntropyModel]]] = {
    cls.kind: cls for cls in (GaussianPrior, DualAxisGaussian, OctreeContext, MaskedConv3dContext, ZeroInflatedGaussian)
}
"""Entropy models by the number that names them in a file."""

__all__ = [
    "ENTROPY_MODELS",
    "DualAxisGaussian",
    "EntropyModel",
    "GaussianPrior",
    "MaskedConv3dContext",
    "OctreeContext",
    "ZeroInflatedGaussian",
]
