"""What quantisers and entropy models share: built for one tensor, named in a file by a number and a few integers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from typing_extensions import Self


class TensorModule(nn.Module, ABC):
    """A module that belongs to one tensor.

    `kind` and `configuration()` say in a file which it was.
    """

    kind: ClassVar[int]

    @abstractmethod
    def __init__(self, tensor: Tensor) -> None:
        super().__init__()

    def configuration(self) -> Sequence[int]:
        """Return the integers that, with the tensor's shape, rebuild this module."""
        return ()

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return what `configuration()` described, for this tensor.

        Raises:
            ValueError: the integers are not a configuration of this class.
        """
        if configuration:
            raise ValueError(f"{cls.__name__} takes no configuration, got {tuple(configuration)}")
        return cls(tensor)
