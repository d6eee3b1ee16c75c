"""Our priors in the place of CompressAI's `EntropyBottleneck`.

A latent is a tensor as priors are built for: the prior gives the bits of its symbols, from which likelihoods follow,
and codes them into a string of its own.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import log2

import torch
from compressai.entropy_models import EntropyModel
from torch import Tensor

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import EntropyModel as Prior
from nvrc_components.entropy_models.gaussian import FactorizedGaussian
from nvrc_components.interop.compressai.symbols import check_symbols
from nvrc_components.quantizers.surrogates import AdditiveUniform, Surrogate
from nvrc_components.side import sides_of


class _Bottleneck(EntropyModel):  # type: ignore[misc]  # CompressAI has no types
    """A prior for latents whose quantisation step is 1, as everywhere in CompressAI.

    The prior's own parameters phi are weights of the model, kept in its state dict and not in a string; as they cost
    nothing here, they keep the full resolution of their lattice, 1/64.
    """

    def __init__(self, prior: Prior, latent: Tensor, surrogate: Surrogate | None, likelihood_bound: float) -> None:
        super().__init__(likelihood_bound)
        self.prior = prior
        self.surrogate = surrogate or AdditiveUniform()
        self._channels, self._axes = latent.shape[1], latent.dim() - 2
        for side in sides_of([prior]):
            side.log2_step.data.fill_(-log2(lattice.SIDE_STEPS))
            side.log2_step.requires_grad_(False)

    def forward(self, x: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """Return the values, a surrogate's in training and else rounded, and their likelihoods.

        Shape: (B, C, ...) -> the same twice.

        Raises:
            ValueError: the latents are of other channels or axes than the example.
        """
        self._check(x.shape)
        symbols = self._symbols(x.float(), self.training if training is None else training)
        likelihoods = torch.exp2(-self._bits(symbols))
        if self.use_likelihood_bound:
            likelihoods = self.likelihood_lower_bound(likelihoods)
        return symbols.to(x.dtype), likelihoods

    @torch.no_grad()
    def compress(self, x: Tensor) -> list[bytes]:
        """Return a string for each latent of the batch.

        Shape: (B, C, ...) -> B strings.

        Raises:
            ValueError: the latents are of other channels or axes than the example.
            InputError: a latent is not finite or beyond 2^40, or the prior's network has diverged.
        """
        self._check(x.shape)
        symbols = torch.round(x.float())
        check_symbols(symbols)
        return [self._encode(self._arranged(latent)) for latent in symbols]

    @torch.no_grad()
    def decompress(self, strings: Sequence[bytes], size: Sequence[int]) -> Tensor:
        """Return the values that `forward` gives in evaluation mode.

        Shape: B strings; `size` is (H, W), or (T, H, W) of video -> (B, C, *size).

        Raises:
            ValueError: the size is not that of such latents.
            BitstreamError: a string does not hold its latent.
        """
        shape = torch.Size((len(strings), self._channels, *size))
        self._check(shape)
        values: Tensor = self.offset.new_empty(shape, dtype=torch.float32)
        for number, (string, latent) in enumerate(zip(strings, values, strict=True)):
            arranged = self._arranged(latent)
            arranged.copy_(self._decode(string, arranged.shape, f"string {number}"))
        return values

    @abstractmethod
    def _arranged(self, latent: Tensor) -> Tensor:
        """Return a view of one latent (C, ...) as the prior sees it."""

    @abstractmethod
    def _bits(self, symbols: Tensor) -> Tensor:
        """Return the bits of symbols (B, C, ...), in their shape."""

    def _symbols(self, x: Tensor, training: bool) -> Tensor:
        if not training:
            return torch.round(x)
        return self.surrogate(x, torch.rand_like(x) if self.surrogate.needs_noise else x)

    def _log2_step(self) -> Tensor:
        log2_step: Tensor = self.offset.new_zeros((), dtype=torch.float32)
        return log2_step

    def _encode(self, symbols: Tensor) -> bytes:
        encoder = SymbolEncoder()
        self.prior.encode(symbols, self._log2_step(), encoder)
        return encoder.to_bytes()

    def _decode(self, string: bytes, shape: torch.Size, source: str) -> Tensor:
        decoder = SymbolDecoder(string, source)
        symbols = self.prior.decode(shape, self._log2_step(), decoder)
        decoder.finish()
        return symbols

    def _check(self, shape: torch.Size) -> None:
        if len(shape) != self._axes + 2 or shape[1] != self._channels:
            raise ValueError(
                f"latents of shape {tuple(shape)}, but this model is for (B, {self._channels}) and {self._axes} axes: "
                "of video, codecs must keep y.shape[2:], CompressAI's own keep the last two axes"
            )


class ContextBottleneck(_Bottleneck):
    """Any of our priors, context models above all, as an `EntropyBottleneck`.

    The prior sees each latent by itself as a grid (T, C, H, W): of video all its frames, of an image T = 1.

    Args:
        prior: Builds the prior for a tensor: a class, or a `functools.partial` of one.
        latent: An example, (B, C, H, W) or (B, C, T, H, W); others may have any B, T, H and W.
        surrogate: Stands in for rounding while training; the default is CompressAI's uniform noise.
        likelihood_bound: Smaller likelihoods count as this one.
    """

    def __init__(
        self,
        prior: Callable[[Tensor], Prior],
        latent: Tensor,
        surrogate: Surrogate | None = None,
        likelihood_bound: float = 1e-9,
    ) -> None:
        super().__init__(prior(self._arranged(latent[0])), latent, surrogate, likelihood_bound)

    def _arranged(self, latent: Tensor) -> Tensor:
        return (latent if latent.dim() > 3 else latent[:, None]).transpose(0, 1)

    def _bits(self, symbols: Tensor) -> Tensor:
        step = self._log2_step()
        grids = [self.prior.symbol_bits(self._arranged(latent), step).transpose(0, 1) for latent in symbols]
        return torch.stack(grids).view(symbols.shape)


class GaussianBottleneck(_Bottleneck):
    """One of our factorised Gaussians as an `EntropyBottleneck`, with a likelihood for each element.

    The prior sees each latent as (C, ...): `DualAxisGaussian` has a mean and a scale for each channel of 128 elements
    or more. From 128 channels on it has a pair for each position too; latents are then of the example's size, and of
    any other size are a ValueError.

    Args:
        prior: Builds the prior for a tensor: a class, or a `functools.partial` of one.
        latent: An example, (B, C, ...), whose spread the scales start from.
        surrogate: Stands in for rounding while training; the default is CompressAI's uniform noise.
        likelihood_bound: Smaller likelihoods count as this one.
    """

    prior: FactorizedGaussian

    def __init__(
        self,
        prior: Callable[[Tensor], FactorizedGaussian],
        latent: Tensor,
        surrogate: Surrogate | None = None,
        likelihood_bound: float = 1e-9,
    ) -> None:
        super().__init__(prior(latent[0]), latent, surrogate, likelihood_bound)

    def _arranged(self, latent: Tensor) -> Tensor:
        return latent

    def _bits(self, symbols: Tensor) -> Tensor:
        return self.prior.symbol_bits(symbols, self._log2_step())

    def _check(self, shape: torch.Size) -> None:
        super()._check(shape)
        columns = self.prior.log2_scale().shape[1:]
        if columns.numel() > 1 and columns != shape[2:]:
            raise ValueError(
                f"latents of {tuple(shape[2:])}, but this prior has a mean and a scale for each position of "
                f"{tuple(columns)}; build it from an example of that size"
            )
