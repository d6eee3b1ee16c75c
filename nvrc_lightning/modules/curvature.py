"""How much the pictures change with each of the network's parameters."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nvrc_components.quantizers import Surrogate
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["gauss_newton_diagonal"]


class _Unrounded(Surrogate):
    """No rounding at all: coarse steps may leave features constant, whose norms have gradients without bound."""

    needs_noise = False

    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return the symbols."""
        return symbols


def gauss_newton_diagonal(
    codec: VideoCodec, batches: Sequence[Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Return an estimate of the squared error's second derivative by every parameter.

    The Gauss-Newton matrix is J^T J, J the pictures' Jacobian; with random signs v, (J^T v)^2 has its diagonal as
    expectation (Hutchinson, 1989). Every batch is one such probe.

    Of temporal grids few slices are seen by few probes: all have the mean over time.

    Args:
        codec: the module; nothing of it changes.
        batches: patches to probe, each (B, 3) of frame, top and left.
        generator: of the signs, on the CPU so that all devices draw the same.

    Shape: that of each parameter; squared picture values by squared units of the parameter, summed over a batch.
    """
    compressed = codec.compressed
    surrogate, compressed.surrogate = compressed.surrogate, _Unrounded()
    names, parameters = zip(*compressed.module.named_parameters(), strict=True)
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    with torch.enable_grad():
        for batch in batches:
            pictures = codec.patches(batch.to(codec.device))
            signs = torch.randint(2, pictures.shape, generator=generator).to(pictures).mul_(2).sub_(1)
            gradients = torch.autograd.grad(pictures, parameters, signs, allow_unused=True)
            for total, gradient in zip(sums, gradients, strict=True):
                if gradient is not None:
                    total.addcmul_(gradient, gradient)
    compressed.surrogate = surrogate
    diagonal = {name: total / len(batches) for name, total in zip(names, sums, strict=True)}
    for name in compressed.module.windows(batches[0][:, 0]):  # type: ignore[operator]
        diagonal[name] = diagonal[name].mean(0, keepdim=True).expand_as(diagonal[name])
    return diagonal
