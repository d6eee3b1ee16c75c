"""`torch.compile` for a network whose parameters change their sizes from step to step, as slices of grids do."""

from collections.abc import Callable
from typing import Any

import torch
from torch.func import functional_call

__all__ = ["compiled_call"]

_SIZES_MAY_CHANGE = torch._dynamo.config.patch(
    force_parameter_static_shapes=False, force_nn_module_property_static_shapes=False
)


def compiled_call() -> Callable[..., Any]:
    """Return a compiled `torch.func.functional_call` that is not compiled anew for each size of the parameters.

    By default the compiler takes sizes of a module's parameters for constants. Batches touch ever other numbers of a
    grid's slices, so that it would compile at every step, and give up after eight.
    """
    call: Callable[..., Any] = _SIZES_MAY_CHANGE(torch.compile(functional_call))
    return call
