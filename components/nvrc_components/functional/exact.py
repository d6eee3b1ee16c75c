"""Powers of two that are the same bits on every machine."""

import torch
from torch import Tensor

from nvrc_components.coding import lattice


def exact_exp2(exponent: Tensor) -> Tensor:
    """Return 2^exponent for multiples of 1/64 from a constant table; the gradient is the exponential's own.

    Values have 12 significant bits: products of two of them, or with a 1/64-lattice value below 64, are exact in
    float32. Exponents beyond +-16 are clamped.

    Shape: any.
    """
    reach = lattice.POWER_REACH
    table = torch.from_numpy(lattice.powers_of_two()).to(exponent.device)
    # Clamped as integers, so that a NaN finds an entry, and comes out of the smooth part.
    index = torch.round(exponent.detach() * lattice.SIDE_STEPS).long().clamp(-reach, reach) + reach
    smooth = torch.exp2(exponent.clamp(-reach / lattice.SIDE_STEPS, reach / lattice.SIDE_STEPS))
    return table[index] + (smooth - smooth.detach())
