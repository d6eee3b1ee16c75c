"""How much the pictures change with each of the network's parameters."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nvrc_components.functional import counter_uniform
from nvrc_components.quantizers import Surrogate
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["gauss_newton_diagonal"]


class _Unrounded(Surrogate):
    """No rounding at all: coarse steps may leave features constant, whose norms have gradients without bound."""

    needs_noise = False

    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return the symbols."""
        return symbols


def gauss_newton_diagonal(codec: VideoCodec, probes: Sequence[Tensor], seed: int) -> dict[str, Tensor]:
    """Return an estimate of half the squared error's second derivative by every parameter.

    The Gauss-Newton matrix is J^T J, J the pictures' Jacobian; with random signs v, (J^T v)^2 has its diagonal as
    expectation (Hutchinson, 1989). Of temporal grids few slices are seen by few probes: all have the mean over time.
    Several ranks share every probe's patches, and all get the same bits.

    Args:
        codec: the module, in a trainer; nothing of it changes.
        probes: patches to look at, each (B, 3) of frame, top and left; B a multiple of the number of ranks.
        seed: of the signs, which depend on it, the probe and the place in it alone.

    Shape: that of each parameter; squared picture values by squared units of the parameter, summed over a probe.
    """
    compressed = codec.compressed
    parameters = dict(compressed.module.named_parameters())
    total = torch.zeros(sum(parameter.numel() for parameter in parameters.values()), device=codec.device)
    surrogate, compressed.surrogate = compressed.surrogate, _Unrounded()
    try:
        for number, places in enumerate(probes):
            key = ~(seed * len(probes) + number)  # below 0, where no key of the quantisation noise is
            total += _project(codec, places, key).square_()
    finally:
        compressed.surrogate = surrogate
    parts = (total / len(probes)).split_with_sizes([parameter.numel() for parameter in parameters.values()])
    diagonal = {name: part.view_as(parameters[name]) for name, part in zip(parameters, parts, strict=True)}
    for name in compressed.module.windows(probes[0][:, 0]):  # type: ignore[operator] # whose names are all temporal
        diagonal[name] = diagonal[name].mean(0, keepdim=True).expand_as(diagonal[name])
    return diagonal


@torch.enable_grad()
def _project(codec: VideoCodec, places: Tensor, key: int) -> Tensor:
    """Return J^T v of all parameters, v the signs that belong to the key.

    Shape: (B, 3) -> (elements of all parameters,).
    """
    trainer, parameters = codec.trainer, list(codec.compressed.module.parameters())
    assert codec.compressed.training, "rounding has no gradient"
    own = torch.arange(trainer.global_rank, len(places), trainer.world_size)
    with trainer.precision_plugin.forward_context():  # as training steps have it, and no more memory
        pictures = codec.patches(places[own].to(codec.device))
    elements = torch.arange(pictures[0].numel(), device=codec.device)
    index = own.to(codec.device)[:, None] * pictures[0].numel() + elements
    signs = torch.where(counter_uniform(index, key) < 0.5, -1.0, 1.0).view(pictures.shape)
    gradients = torch.autograd.grad(pictures, parameters, signs.to(pictures.dtype), materialize_grads=True)
    flat = torch.cat([gradient.flatten().float() for gradient in gradients])
    if trainer.world_size == 1:
        return flat
    everywhere = trainer.strategy.reduce(flat, reduce_op="sum")
    assert isinstance(everywhere, Tensor)
    return everywhere
