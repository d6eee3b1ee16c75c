"""`torch.compile` for a network whose parameters change their sizes from step to step, as slices of grids do."""

from collections.abc import Callable
from typing import Any

import torch
from torch.func import functional_call

__all__ = ["compiled_call"]


def compiled_call() -> Callable[..., Any]:
    """Return a compiled `torch.func.functional_call` that is not compiled anew for each size of the parameters.

    By default the compiler takes sizes of a module's parameters for constants. Batches touch ever other numbers of a
    grid's slices, so that it would compile at every step, and give up after eight.
    """
    compiled = torch.compile(functional_call)

    def call(*arguments: Any) -> Any:
        with torch._dynamo.config.patch(
            force_parameter_static_shapes=False, force_nn_module_property_static_shapes=False
        ):
            return compiled(*arguments)

    return call
