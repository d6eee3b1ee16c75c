"""Entropy models whose arithmetic is compiled by `torch.compile`, for tests and benchmarks/reproducibility.py.

Masked convolutions are coded by NumPy, and stay as they are.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

import torch
from torch._dynamo import config, reset
from torch._dynamo.utils import counters

from nvrc_components.entropy_models.gaussian import FactorizedGaussian
from nvrc_components.entropy_models.octree_network import OctreeNetwork

BACKEND: Final = "inductor" if shutil.which(os.environ.get("CXX", "g++")) else "aot_eager"
"""Inductor writes C++; where there is no compiler, the graphs that it would be given are run as they are."""

_FUNCTIONS: Final = (
    (FactorizedGaussian, "distribution"),
    (OctreeNetwork, "forward"),
)
# Beyond its limits the compiler goes back to plain PyTorch, silently unless told otherwise.
_LIMITS: Final = {
    "cache_size_limit": 1000,
    "accumulated_cache_size_limit": 10_000,
    "fail_on_recompile_limit_hit": True,
}


@contextmanager
def compiled() -> Iterator[Callable[[], int]]:
    """Compile what gives symbols their means and scales; yields a count of the graphs so far."""
    reset()
    start = graphs()
    with ExitStack() as stack:
        stack.enter_context(config.patch({name: value for name, value in _LIMITS.items() if hasattr(config, name)}))
        for owner, name in _FUNCTIONS:
            stack.enter_context(patch.object(owner, name, _compile(getattr(owner, name))))
        yield lambda: graphs() - start


def graphs() -> int:
    return int(counters["stats"]["unique_graphs"])


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, backend=BACKEND, dynamic=True)
