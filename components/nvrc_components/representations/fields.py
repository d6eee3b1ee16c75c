"""Integer fields of a network's configuration: their ranges, and reading them back from a file header."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Limits: TypeAlias = Mapping[str, tuple[int, int]]
"""Least and greatest value of each field by name."""


def check(limits: Limits, name: str, values: Sequence[int]) -> None:
    """Refuses values outside the field's range.

    Raises:
        ValueError: One is no integer or out of range; the message starts with the field's name.
    """
    low, high = limits[name]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name}: {value!r} is not an integer from {low} to {high}")


class FieldReader:
    """Takes fields one after the other from a flat list, checking each."""

    def __init__(self, ints: Sequence[int], limits: Limits) -> None:
        self.ints = ints
        self.limits = limits
        self.place = 0

    def take(self, name: str) -> int:
        """Reads one integer.

        Raises:
            ValueError: The list ends before it, or it is out of range.
        """
        return self.series(name, 1)[0]

    def series(self, name: str, count: int) -> tuple[int, ...]:
        """Reads ``count`` integers of the same range.

        Raises:
            ValueError: The list ends before them, or one is out of range.
        """
        values = tuple(self.ints[self.place : self.place + count])
        check(self.limits, name, values)
        if len(values) < count:
            raise ValueError(f"{name}: the configuration ends before it")
        self.place += count
        return values

    def finish(self, name: str) -> None:
        """Ends the reading; ``name`` is the last field's.

        Raises:
            ValueError: Integers are left over.
        """
        if self.place < len(self.ints):
            raise ValueError(f"{name}: {len(self.ints)} integers are more than the configuration holds")


def frame_sizes(height: int, width: int, strides: Sequence[int]) -> list[tuple[int, int]]:
    """Height and width at the stem, then after every stage; the last is the frame itself.

    A size that the strides do not divide is rounded up, and what lies beyond the frame is cut off.
    """
    remaining = math.prod(strides)
    result = []
    for stride in (*strides, 1):
        result.append((-(-height // remaining), -(-width // remaining)))
        remaining //= stride
    return result
