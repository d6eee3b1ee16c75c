"""The representations a file can name; a fixed table of numbers, never an import path."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from nvrc_components.errors import BitstreamError
from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.representations.representation import Config, Representation

NVRC_LITE: Final = 1
HINERV: Final = 2
MAX_PARAMETERS: Final = 2**28
"""A header that asks for more is taken for a forgery; so many need 1 GiB, and decoding some twenty times that."""


class Kind(NamedTuple):
    """One kind of representation: how its configuration is read, and the class of its network."""

    config: Callable[[Sequence[int]], Config]
    module: Callable[[Any], Representation]


KINDS: Final[dict[int, Kind]] = {
    NVRC_LITE: Kind(NvrcLiteConfig.from_ints, NvrcLite),
    HINERV: Kind(HiNervConfig.from_ints, HiNerv),
}


def build(kind: int, ints: Sequence[int]) -> nn.Module:
    """Builds the network that a file header describes.

    Raises:
        BitstreamError: The kind is unknown, the integers are no configuration of it, or describe
            a network too large to be meant.
    """
    if kind not in KINDS:
        raise BitstreamError(f"header: representation kind {kind} is unknown here; a newer nvrc may read it")
    try:
        config = KINDS[kind].config(ints)
    except ValueError as error:
        raise BitstreamError(f"header: representation configuration is damaged ({error})") from error
    module = KINDS[kind].module
    parameters = _parameters(module, config)
    if parameters > MAX_PARAMETERS:
        raise BitstreamError(f"the header asks for {parameters} parameters, this decoder takes up to {MAX_PARAMETERS}")
    return module(config)


def _parameters(module: Callable[[Any], Representation], config: Config) -> float:
    """Count without allocating; the tables of every grid's time axis count as well."""
    with torch.device("meta"):
        try:
            network = module(config)
        except RuntimeError:  # a single tensor has more bytes than 64 bits can say
            return math.inf
    return sum(parameter.numel() for parameter in network.parameters()) + config.frames * len(list(network.modules()))


def kind_of(module: nn.Module) -> int:
    """The number a file header uses for this network.

    Raises:
        BitstreamError: The network is of no known kind, so no file can hold it.
    """
    for number, kind in KINDS.items():
        if type(module) is kind.module:
            return number
    raise BitstreamError(f"representation: {type(module).__name__} has no kind number; a file cannot hold it")
