"""The representations a file can name; a fixed table of numbers, never an import path."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import nn

from nvrc_components.errors import BitstreamError
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig

NVRC_LITE: Final = 1
MAX_PARAMETERS: Final = 2**28
"""A header that asks for more is taken for a forgery: decoding would fill a gigabyte and more."""


class Kind(NamedTuple):
    """One kind of representation: the class of its configuration and of its network."""

    config: type[NvrcLiteConfig]
    module: type[NvrcLite]


KINDS: Final[dict[int, Kind]] = {NVRC_LITE: Kind(NvrcLiteConfig, NvrcLite)}


def build(kind: int, ints: Sequence[int]) -> nn.Module:
    """Builds the network that a file header describes.

    Raises:
        BitstreamError: The kind is unknown, the integers are no configuration of it, or describe
            a network too large to be meant.
    """
    if kind not in KINDS:
        raise BitstreamError(f"header: representation kind {kind} is unknown here; a newer nvrc may read it")
    try:
        config = KINDS[kind].config.from_ints(ints)
    except ValueError as error:
        raise BitstreamError(f"header: representation configuration is damaged ({error})") from error
    module = KINDS[kind].module
    with torch.device("meta"):  # counts without allocating
        network = module(config)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        parameters += config.frames * sum(1 for _ in network.modules())  # tables of every grid's time axis
    if parameters > MAX_PARAMETERS:
        raise BitstreamError(f"the header asks for {parameters} parameters, this decoder takes up to {MAX_PARAMETERS}")
    return module(config)


def kind_of(module: nn.Module) -> int:
    """The number a file header uses for this network.

    Raises:
        BitstreamError: The network is of no known kind, so no file can hold it.
    """
    for number, kind in KINDS.items():
        if type(module) is kind.module:
            return number
    raise BitstreamError(f"representation: {type(module).__name__} has no kind number; a file cannot hold it")
