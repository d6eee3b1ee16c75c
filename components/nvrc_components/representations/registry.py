"""The representations a file can name; a fixed table of numbers, never an import path."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from nvrc_components.errors import BitstreamError
from nvrc_components.memory import machine_memory
from nvrc_components.representations.grids import TemporalGrid
from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.representations.representation import Config, Representation

NVRC_LITE: Final = 1
HINERV: Final = 2
MAX_PARAMETERS: Final = 2**29
"""A header that asks for more is taken for a forgery.

The size of a file tells nothing: the least that a symbol can cost is 3.3 millionths of a bit, and honest files come
near to it. A black clip leaves NVRC-Lite of 255,639 parameters in 794 bytes, those of its grids in 25.
"""

_PARAMETER_BYTES: Final = 4
_DECODING_BYTES: Final = 72
"""Least memory for each number of a tensor that is being decoded: with octrees 134 bytes were measured."""
_TABLE_COPIES: Final = 3
"""What making a table takes besides it."""


class Kind(NamedTuple):
    """One kind of representation: how its configuration is read, and the class of its network."""

    config: Callable[[Sequence[int]], Config]
    module: Callable[[Any], Representation]


KINDS: Final[dict[int, Kind]] = {
    NVRC_LITE: Kind(NvrcLiteConfig.from_ints, NvrcLite),
    HINERV: Kind(HiNervConfig.from_ints, HiNerv),
}


def build(kind: int, ints: Sequence[int]) -> Representation:
    """Builds the network that a file header describes, its parameters all zero.

    Raises:
        BitstreamError: As `plan` and `allocate` do.
    """
    return allocate(plan(kind, ints))


def plan(kind: int, ints: Sequence[int]) -> Representation:
    """Lays out the network that a file header describes, on the meta device.

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
    network = _planned(KINDS[kind].module, config)
    numbers = math.inf if network is None else count(network)
    if network is None or numbers > MAX_PARAMETERS:
        raise BitstreamError(f"the header asks for {numbers} parameters, this decoder takes up to {MAX_PARAMETERS}")
    return network


def _planned(module: Callable[[Any], Representation], config: Config) -> Representation | None:
    with torch.device("meta"):
        try:
            return module(config)
        except RuntimeError:  # a single tensor has more bytes than 64 bits can say
            return None


def count(network: Representation) -> int:
    """How many numbers a network holds: its parameters, and the tables of every grid's time axis at most."""
    tables = network.config.frames * len(list(network.modules()))
    return sum(parameter.numel() for parameter in network.parameters()) + tables


def allocate(network: Representation) -> Representation:
    """Gives a network that was laid out memory of its own: parameters that are zero, in single precision.

    Raises:
        BitstreamError: Decoding it would take more memory than there is.
    """
    need, there = _memory(network), machine_memory()
    if need > there:
        raise BitstreamError(
            f"the header asks for {count(network)} parameters; to decode them takes {need / 2**30:.1f} GiB of memory, "
            f"this machine has {there / 2**30:.1f}"
        )
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.zeros(parameter.shape, dtype=torch.float32)))
        if isinstance(module, TemporalGrid):
            module.tabulate()
    return network


def _memory(network: Representation) -> int:
    """Bytes that decoding a network takes at least: its parameters, its tables, and what making the largest takes."""
    parameters = [parameter.numel() for parameter in network.parameters()]
    tables = [sum(table.nbytes for table in module.buffers(recurse=False)) for module in network.modules()]
    largest = _DECODING_BYTES * max(parameters) + _TABLE_COPIES * max(tables)
    return _PARAMETER_BYTES * sum(parameters) + sum(tables) + largest


def kind_of(module: nn.Module) -> int:
    """The number a file header uses for this network.

    Raises:
        BitstreamError: The network is of no known kind, or larger than decoders take, so no file can hold it.
    """
    number = next((number for number, kind in KINDS.items() if type(module) is kind.module), None)
    if number is None or not isinstance(module, Representation):
        raise BitstreamError(f"representation: {type(module).__name__} has no kind number; a file cannot hold it")
    if count(module) > MAX_PARAMETERS:
        raise BitstreamError(
            f"representation: the network has {count(module)} parameters, a decoder takes up to {MAX_PARAMETERS}; "
            "choose a smaller one"
        )
    return number
