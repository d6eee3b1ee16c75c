"""What a latent's symbols must be to go into a string, and a string's number of latents."""

from collections.abc import Sequence

from torch import Tensor

from nvrc_components.coding.range_coder import LIMIT
from nvrc_components.errors import InputError


def check_symbols(symbols: Tensor) -> None:
    """Require symbols that can be coded.

    Shape: any.

    Raises:
        InputError: one is not finite, or beyond 2^40.
    """
    if not (symbols.abs() <= LIMIT).all():
        raise InputError(
            "a latent is not finite, or beyond 2^40: "
            "training has diverged, lower its learning rate or go back to an earlier checkpoint"
        )


def check_strings(strings: Sequence[bytes], batch: int) -> None:
    """Require a string for each of `batch` latents.

    Raises:
        ValueError: there are more or fewer.
    """
    if len(strings) != batch:
        raise ValueError(f"{len(strings)} strings for a batch of {batch}: there is one for each latent")
