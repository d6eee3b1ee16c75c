"""Which rows of a tensor's first axis are wanted: a plain slice where they have no gaps, their numbers elsewhere."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Window: TypeAlias = slice | Tensor
"""Rows of dim 0 that are wanted, to be read as `tensor[window]`: a slice, or ascending int64 numbers (N,)."""

WHOLE: Final = slice(None)


def take_rows(tensor: Tensor, window: Window) -> Tensor:
    """Return `tensor[window]`, of numbered rows with a far cheaper backward pass than indexing has.

    Shape: (T, ...) -> (rows of the window, ...).
    """
    if isinstance(window, slice):
        return tensor[window]
    return F.embedding(window, tensor.reshape(tensor.shape[0], -1)).view(-1, *tensor.shape[1:])


def windows_of(rows: Mapping[str, Sequence[int]], tensors: Mapping[str, Tensor]) -> dict[str, Window]:
    """Return the windows of the named rows, on each tensor's device and without waiting for it.

    Args:
        rows: Row numbers by tensor name, ascending and without repeats.
        tensors: The tensors by name, all on one device.

    Raises:
        ValueError: there is no such tensor, or its rows are none, out of order or not all inside.
    """
    for name, numbers in rows.items():
        _check(name, numbers, tensors)
    windows: dict[str, Window] = {
        name: slice(numbers[0], numbers[-1] + 1)
        for name, numbers in rows.items()
        if numbers[-1] - numbers[0] == len(numbers) - 1
    }
    gapped = [name for name in rows if name not in windows]
    if gapped:
        together = torch.tensor([number for name in gapped for number in rows[name]])
        device = tensors[gapped[0]].device
        if device.type == "cuda":  # only a copy from pinned memory leaves the host free to go on
            together = together.pin_memory()
        parts = together.to(device, non_blocking=True).split_with_sizes([len(rows[name]) for name in gapped])
        windows.update(zip(gapped, parts, strict=True))
    return windows


def _check(name: str, numbers: Sequence[int], tensors: Mapping[str, Tensor]) -> None:
    if name not in tensors:
        raise ValueError(f"windows: there is no parameter {name!r}")
    count = tensors[name].shape[0] if tensors[name].dim() else 0
    ascending = all(a < b for a, b in pairwise(numbers))
    if not (len(numbers) and ascending and numbers[0] >= 0 and numbers[-1] < count):
        raise ValueError(f"windows: {name!r} needs ascending rows from 0 to {count - 1}, got {tuple(numbers)}")
