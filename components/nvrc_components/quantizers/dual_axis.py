"""Steps that are a product of a row's and a column's (NVRC eq. 5)."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from typing_extensions import Self

from nvrc_components.functional.exact import exact_exp2
from nvrc_components.quantizers.base import STEP_PACE, Quantizer, constant, initial_log2_step
from nvrc_components.quantizers.windows import WHOLE, Window, take_rows
from nvrc_components.side import SideTensor
from nvrc_components.tensor_module import TensorModule

SHORTEST: Final = 128
"""A row or column gets a parameter of its own only if it holds this many elements (NVRC section 3.2)."""
_SHORTEST_RANGE: Final = (8, 1 << 16)  # so that no forged file has more of phi than of theta
_SINKHORN_ROUNDS: Final = 20


class DualAxis(nn.Module):
    """A learned value per row and per column that add up; only the axes whose lines are long enough have one.

    Shape: the tensor is seen as rows (dim 0) x columns (all other dims). `pace` is that of `SideTensor`.

    Raises:
        ValueError: `shortest` is out of range.
    """

    def __init__(self, shape: torch.Size, start: float, *, shortest: int = SHORTEST, pace: float = 1.0) -> None:
        super().__init__()
        if not _SHORTEST_RANGE[0] <= shortest <= _SHORTEST_RANGE[1]:
            raise ValueError(f"shortest is {shortest}, not from {_SHORTEST_RANGE[0]} to {_SHORTEST_RANGE[1]}")
        rows, columns = matrix_shape(shape)
        self.trailing = shape[1:]
        self.has_rows = columns >= shortest
        self.has_columns = rows >= shortest
        if self.has_rows:
            self.rows = SideTensor(constant(start, rows), pace=pace, common=True)
        if self.has_columns:
            first = not self.has_rows
            self.columns = SideTensor(constant(start if first else 0.0, columns), pace=pace, common=first)
        if not (self.has_rows or self.has_columns):
            self.whole = SideTensor(constant(start))

    def add(self, value: float) -> None:
        """Add to all sums, on one axis."""
        first = self.rows if self.has_rows else self.columns if self.has_columns else self.whole
        first.add(value)

    def assign(self, rows: Tensor, columns: Tensor) -> None:
        """Set the values of the axes that have any; without one, the sum of the two means.

        Shape: (rows,) and (columns,).
        """
        if self.has_rows:
            self.rows.assign(rows)
        if self.has_columns:
            self.columns.assign(columns)
        if not (self.has_rows or self.has_columns):
            self.whole.assign(rows.mean() + columns.mean())

    def parts(self, window: Window = WHOLE) -> list[Tensor]:
        """Return each axis' values for `tensor[window]`, broadcastable to it."""
        parts = []
        if self.has_rows:
            parts.append(take_rows(self.rows(), window).reshape(-1, *[1] * len(self.trailing)))
        if self.has_columns:
            parts.append(self.columns().reshape(1, *self.trailing))
        return parts or [self.whole()]

    def forward(self, window: Window = WHOLE) -> Tensor:
        """Return the sum over the axes for `tensor[window]`, broadcastable to it."""
        first, *rest = self.parts(window)
        return first + rest[0] if rest else first


def matrix_shape(shape: torch.Size) -> tuple[int, int]:
    """Return (rows, columns) of a tensor's two-dimensional view: dim 0 x the rest."""
    rows = shape[0] if shape else 1
    return rows, shape.numel() // max(rows, 1)


class ShortLines(TensorModule):
    """A module with parameters of rows and columns, which says in a file how short these may be.

    Raises:
        ValueError: `shortest` is out of range.
    """

    @abstractmethod
    def __init__(self, tensor: Tensor, *, shortest: int = SHORTEST) -> None:
        super().__init__(tensor)
        self.shortest = shortest

    def extra_repr(self) -> str:
        """Return how short a line may be."""
        return f"from {self.shortest} elements on"

    def configuration(self) -> Sequence[int]:
        """Return how short a line may be; nothing for the paper's rule."""
        return () if self.shortest == SHORTEST else (self.shortest,)

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return the module whose lines may be that short.

        Raises:
            ValueError: more than one integer, or one out of range.
        """
        low, high = _SHORTEST_RANGE
        if len(configuration) > 1 or not all(low <= shortest <= high for shortest in configuration):
            raise ValueError(
                f"{cls.__name__}: {tuple(configuration)} is not how short a line may be, from {low} to {high}"
            )
        return cls(tensor, shortest=configuration[0] if configuration else SHORTEST)


class DualAxisQuantizer(ShortLines, Quantizer):
    """step = step_row * step_column (NVRC eq. 5); one axis, or one step, where lines hold less than `shortest`.

    Raises:
        ValueError: `shortest` is out of range.
    """

    kind: ClassVar[int] = 2

    def __init__(self, tensor: Tensor, bits: float = 5.0, shortest: int = SHORTEST) -> None:
        super().__init__(tensor, shortest=shortest)
        self.steps = DualAxis(tensor.shape, initial_log2_step(tensor, bits), shortest=shortest, pace=STEP_PACE)

    def log2_step(self, window: Window = WHOLE) -> Tensor:
        """Return row + column log2-steps of `tensor[window]`, broadcastable to it."""
        result: Tensor = self.steps(window)
        return result

    def step(self, window: Window = WHOLE) -> Tensor:
        """Return row x column steps of `tensor[window]`, broadcastable to it."""
        first, *rest = (exact_exp2(part) for part in self.steps.parts(window))
        return first * rest[0] if rest else first

    def scale_steps(self, octaves: float) -> None:
        """Add to the log2-steps of one axis."""
        self.steps.add(octaves)

    @torch.no_grad()
    def balance(self, curvature: Tensor, noise: float) -> None:
        """Set rows' and columns' steps in turn, each given the other, until all lines agree (Sinkhorn, 1964)."""
        matrix = curvature.reshape(matrix_shape(curvature.shape)) / noise
        rows, columns = matrix.new_zeros(matrix.shape[0]), matrix.new_zeros(matrix.shape[1])
        if not (self.steps.has_rows or self.steps.has_columns):
            rows = rows - matrix.mean().log2() / 2
        for _ in range(_SINKHORN_ROUNDS):
            if self.steps.has_columns:
                columns = -(matrix * torch.exp2(2 * rows)[:, None]).mean(0).log2() / 2
            if self.steps.has_rows:
                rows = -(matrix * torch.exp2(2 * columns)).mean(1).log2() / 2
        level = columns.mean() if self.steps.has_rows else 0.0  # on the rows, which have a level that learns
        self.steps.assign(rows + level, columns - level)
