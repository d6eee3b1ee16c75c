"""Entropy models that stand in for CompressAI's own, in its models and latent codecs.

`LatticeGaussianConditional` takes the place of a `GaussianConditional`, `ContextBottleneck` and `GaussianBottleneck`
that of an `EntropyBottleneck`. None has tables: `update()` has nothing to do, and there is no auxiliary loss.
"""

from nvrc_components.interop.compressai.bottleneck import ContextBottleneck, GaussianBottleneck
from nvrc_components.interop.compressai.gaussian_conditional import LatticeGaussianConditional

__all__ = ["ContextBottleneck", "GaussianBottleneck", "LatticeGaussianConditional"]
