"""What stands in for rounding while training: objects that can be swapped and annealed at run time.

A surrogate knows nothing of scales; it maps symbols (tensors divided by their quantisation steps) to what
the network and the entropy model see of them. The caller supplies the noise, so a surrogate gives the same
values on a slice as on the whole.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from nvrc_components.errors import InputError
from nvrc_components.functional.noise import kumaraswamy_noise
from nvrc_components.functional.rounding import round_straight_through, soft_round


class Surrogate(ABC):
    """A stand-in for rounding.

    Attributes:
        needs_noise: Whether `uniform` is read; if not, any tensor may be passed.
    """

    needs_noise: bool = True

    @abstractmethod
    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return what stands in for `symbols.round()`.

        Args:
            symbols: Real numbers in units of the quantisation step.
            uniform: Noise on (0, 1), independent for every element.

        Shape:
            Both the same; the result too.
        """


class StraightThrough(Surrogate):
    """Rounding with the gradient of the identity."""

    needs_noise = False

    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return the rounded symbols."""
        return round_straight_through(symbols)


class AdditiveUniform(Surrogate):
    """Uniform noise on (-1/2, 1/2) added; its density is the rounding error's at high resolution.

    Source: Balle, Laparra and Simoncelli, "End-to-end optimized image compression", ICLR 2017.
    """

    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return the symbols with noise."""
        return symbols + (uniform - 0.5)


class SoftRoundKumaraswamy(Surrogate):
    """Soft rounding, Kumaraswamy noise, soft rounding again: NVRC's first stage.

    NVRC (arXiv 2409.07414) anneals the temperature from 0.5 to 0.3 and the shape from 2 to 1.

    Source: Kim et al., "C3: High-performance and low-complexity neural compression", CVPR 2024.
    """

    def __init__(self, temperature: float = 0.5, shape: float = 2.0) -> None:
        self.temperature = temperature
        self.shape = shape

    @property
    def temperature(self) -> float:
        """Distance of the soft rounding from rounding, above 0; may be changed between steps."""
        return self._temperature

    @temperature.setter
    def temperature(self, value: float) -> None:
        if not value > 0:
            raise InputError(f"temperature must be above 0, got {value}")
        self._temperature = float(value)

    @property
    def shape(self) -> float:
        """Shape of the noise, from 1 (uniform) up; may be changed between steps."""
        return self._shape

    @shape.setter
    def shape(self, value: float) -> None:
        if not value >= 1:
            raise InputError(f"the shape of Kumaraswamy noise must be at least 1, got {value}")
        self._shape = float(value)

    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return the softly rounded symbols with noise, softly rounded again."""
        noisy = soft_round(symbols, self.temperature) + kumaraswamy_noise(uniform, self.shape)
        return soft_round(noisy, self.temperature)

    def __repr__(self) -> str:
        """Return the constructor call that makes an equal surrogate."""
        return f"SoftRoundKumaraswamy(temperature={self.temperature}, shape={self.shape})"


class QuantNoise(Surrogate):
    """A random share of the elements rounded without gradient, the others unchanged: NVRC's second stage.

    NVRC (arXiv 2409.07414) anneals the ratio from 0.5 to 1.

    Source: Fan et al., "Training with Quantization Noise for Extreme Model Compression", ICLR 2021.
    """

    def __init__(self, ratio: float = 0.5) -> None:
        self.ratio = ratio

    @property
    def ratio(self) -> float:
        """Share of the elements that are rounded, 0 to 1; may be changed between steps."""
        return self._ratio

    @ratio.setter
    def ratio(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise InputError(f"the ratio of Quant-Noise must be from 0 to 1, got {value}")
        self._ratio = float(value)

    def __call__(self, symbols: Tensor, uniform: Tensor) -> Tensor:
        """Return the symbols, those with `uniform` below the ratio rounded."""
        return torch.where(uniform < self.ratio, symbols.detach().round(), symbols)

    def __repr__(self) -> str:
        """Return the constructor call that makes an equal surrogate."""
        return f"QuantNoise(ratio={self.ratio})"
