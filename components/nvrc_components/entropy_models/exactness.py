"""The condition under which integer networks are exact: every partial sum is an integer that float32 holds."""

from typing import Final

from torch import Tensor

from nvrc_components.errors import InputError

_EXACT: Final = float(1 << 24)


def check_sums(name: str, *greatest: Tensor) -> None:
    """Require the greatest absolute sums, in units of their lattices, to stay below 2^24.

    Shape: any number of tensors, of any shapes.

    Raises:
        InputError: one does not, or is not a number.
    """
    for sums in greatest:
        if not (sums < _EXACT).all():
            raise InputError(
                f"the context network of {name} is not exact: its sums may reach {float(sums.max()):.3g}, beyond 2^24; "
                "training has diverged, lower the learning rate of the codec or go back to an earlier checkpoint"
            )
