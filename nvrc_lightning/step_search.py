"""Quantisation steps scaled by a common factor, so that the file comes to a given size.

A network that was trained towards the size needs a few percent at most; there the file's size falls as steps grow.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from nvrc_components.compressed_module import CompressedModule
from nvrc_components.errors import InputError
from nvrc_components.side import sides_of
from nvrc_lightning.file_size import estimated_bytes

__all__ = ["COARSEST", "FINEST", "Scaling", "TargetError", "codec_state", "scale_to_size"]

FINEST: Final = -2.0
COARSEST: Final = 8.0
"""Octaves between which steps are scaled: finer ones cost bits that no picture shows, coarser ones leave zeros."""

_ENOUGH, _AIM = 0.985, 0.994
_ATTEMPTS: Final = 8
_HALVINGS: Final = 14
_LAST_ATTEMPTS: Final = 5


class TargetError(InputError):
    """The file cannot be made as small as is wanted."""


@dataclass(frozen=True)
class Scaling:
    """What was done to the steps.

    Args:
        octaves: log2 of the factor.
        size: bytes of the file that they make.
        attempts: files that were coded to find it.
    """

    octaves: float
    size: int
    attempts: int


@torch.no_grad()
def scale_to_size(
    compressed: CompressedModule, file_size: Callable[[], int], limit: int, iterations: int = 100
) -> Scaling:
    """Scale all steps and fit the entropy models, so that the file has at most `limit` bytes and hardly less.

    Every candidate is really coded; estimates only choose the next one.

    Args:
        compressed: a module in evaluation mode; its steps and entropy models change.
        file_size: codes it as it is now and returns the bytes of the whole file.
        limit: greatest size, bytes.
        iterations: steps of the entropy models for every candidate.

    Raises:
        TargetError: even the coarsest steps make a larger file.
    """
    search = _Search(compressed, file_size, limit, iterations)
    octaves = 0.0
    for _ in range(_ATTEMPTS):
        search.attempt(octaves)
        if search.is_over():
            break
        octaves = search.next_octaves()
        if octaves == search.coarse and search.best is not None:  # by the estimates nothing finer is small enough
            break
    if search.best is None and search.fine < COARSEST:
        search.attempt(COARSEST)
        for _ in range(_LAST_ATTEMPTS):
            if search.is_over():
                break
            search.attempt((search.fine + search.coarse) / 2)
    return search.settle()


def codec_state(compressed: CompressedModule) -> dict[str, Tensor]:
    """Return a copy of all quantisers and entropy models."""
    return {name: value.clone() for name, value in compressed.codecs.state_dict().items()}


class _Search:
    """Candidates tried so far; between `fine` (too large a file) and `coarse` (not too large) lies the answer."""

    def __init__(self, compressed: CompressedModule, file_size: Callable[[], int], limit: int, iterations: int) -> None:
        self.compressed = compressed
        self.file_size = file_size
        self.limit = limit
        self.iterations = iterations
        self.fine, self.coarse = FINEST, COARSEST
        self.best: Scaling | None = None
        self.last = Scaling(0.0, 0, 0)
        self.smallest = 0
        self._kept: dict[str, Tensor] = {}
        sides = sides_of(codec.quantizer for codec in compressed.tensor_codecs())
        self._start = [(side.value, side.value.detach().clone()) for side in sides]

    def attempt(self, octaves: float) -> None:
        """Code with steps scaled by 2^octaves, and remember it if it is the largest file so far that is allowed."""
        self._scale(octaves)
        with torch.enable_grad():
            self.compressed.fit_entropy_models(self.iterations)
        size, state = self._coarsened()
        self.last = Scaling(octaves, size, self.last.attempts + 1)
        self.smallest = min(self.smallest or self.last.size, self.last.size)
        if self.last.size > self.limit:
            self.fine = octaves
            return
        self.coarse = octaves
        if self.best is None or self.last.size > self.best.size:
            self.best = self.last
            self._kept = state

    def is_over(self) -> bool:
        """Whether the best candidate will do, or nothing is left to try."""
        close = self.best is not None and self.best.size >= _ENOUGH * self.limit
        return close or self.coarse - self.fine < 1e-3

    def next_octaves(self) -> float:
        """Return the finest scaling that by the estimates is small enough."""
        base = self._estimate(self.last.octaves)
        low, high = self.fine, self.coarse
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            size = self.last.size + self._estimate(middle) - base
            low, high = (middle, high) if size > _AIM * self.limit else (low, middle)
        return high

    def settle(self) -> Scaling:
        """Put the best candidate in place and return it.

        Raises:
            TargetError: there is none.
        """
        if self.best is None:
            raise TargetError(
                f"the file cannot be made as small as {self.limit:,} bytes: this network needs {self.smallest:,} at "
                "least; give a smaller network (--size, --model.network.size) or a larger target"
            )
        self.compressed.codecs.load_state_dict(self._kept)
        return replace(self.best, attempts=self.last.attempts)

    def _coarsened(self) -> tuple[int, dict[str, Tensor]]:
        """Return the size of a candidate as it is coded, and that state; its entropy models stay fine, for the next."""
        fine = codec_state(self.compressed)
        self.compressed.coarsen_entropy_models()
        size, coarse = self.file_size(), codec_state(self.compressed)
        self.compressed.codecs.load_state_dict(fine)
        return size, coarse

    def _scale(self, octaves: float) -> None:
        for value, start in self._start:
            value.copy_(start)
        for codec in self.compressed.tensor_codecs():
            codec.quantizer.scale_steps(octaves)

    def _estimate(self, octaves: float) -> float:
        """Bytes of all parameters with steps scaled by 2^octaves and the entropy models as they are."""
        self._scale(octaves)
        return estimated_bytes(self.compressed)
