"""Which quantiser and which entropy model a parameter gets, by its name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

import torch
from torch import Tensor, nn
from typing_extensions import Self

from nvrc_components.coding.range_coder import LIMIT
from nvrc_components.entropy_models import EntropyModel
from nvrc_components.errors import InputError
from nvrc_components.quantizers import Quantizer

SIDE: Final = "side"
"""Name of the stream that holds phi and psi."""


@dataclass(frozen=True)
class Group:
    """How the parameters whose names match a pattern are quantised and coded.

    `quantizer` and `entropy_model` build one for a tensor: a class, or a `functools.partial` of one.
    """

    name: str
    pattern: str
    quantizer: Callable[[Tensor], Quantizer]
    entropy_model: Callable[[Tensor], EntropyModel]

    def __deepcopy__(self, _: Any) -> Self:
        """Return itself: it never changes, and what its callables hold on to may be large, or refuse to be copied."""
        return self


class TensorCodec(nn.Module):
    """The quantiser and the entropy model of one tensor."""

    def __init__(self, group: Group, tensor: Tensor) -> None:
        super().__init__()
        self.group = group.name
        self.quantizer = group.quantizer(tensor)
        self.entropy_model = group.entropy_model(tensor)

    def rounded(self, name: str, tensor: Tensor) -> Tensor:
        """Return the tensor's integer symbols; `name` is for the message.

        Shape: the tensor's.

        Raises:
            InputError: they cannot be coded.
        """
        symbols = torch.round(tensor.float() / self.quantizer.step())
        if not (symbols.abs() <= LIMIT).all():
            raise InputError(
                f"parameter {name!r} is not finite, or beyond 2^40 quantisation steps: "
                "training has diverged, lower its learning rate or go back to an earlier checkpoint"
            )
        return symbols


def check_groups(groups: Sequence[Group], parameters: Sequence[str]) -> None:
    """Require parameters to code, and names that tell streams apart.

    Raises:
        ValueError: there are no parameters, or two groups share a name.
    """
    if not parameters:
        raise ValueError("the module has no parameters to compress")
    names = [group.name for group in groups]
    if len({SIDE, *names}) <= len(names):
        raise ValueError(f"groups need names of their own, other than {SIDE!r}; got {', '.join(names)}")


def group_of(name: str, groups: Sequence[Group]) -> Group:
    """Return the first group whose pattern matches a parameter's name.

    Raises:
        ValueError: none does.
    """
    for group in groups:
        if fnmatchcase(name, group.pattern):
            return group
    patterns = ", ".join(group.pattern for group in groups)
    raise ValueError(f"parameter {name!r} matches none of the group patterns {patterns}; add a group '*'")
