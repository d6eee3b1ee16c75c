"""What the entropy coding benchmark asks of a coder, and the package's own entropy models as such coders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from symbols import SymbolTensor
from torch import Tensor

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.coding.varint import ByteWriter
from nvrc_components.entropy_models import DualAxisGaussian, EntropyModel
from nvrc_components.fitting import Coded, fit
from nvrc_components.functional.exact import exact_exp2
from nvrc_components.side import sides_of


class Blank(NamedTuple):
    """What a decoder knows of a tensor before it reads it."""

    shape: torch.Size
    log2_step: Tensor


class Coder(Protocol):
    """Codes a list of tensors and gives them back; `name` is for the table, `label` for the plot."""

    name: str
    label: str

    def fit(self, items: Sequence[SymbolTensor], sample: Sequence[SymbolTensor]) -> None:
        """Get ready for `items`; what takes long may learn from `sample`, which is smaller where they are tiled."""

    def encode(self, items: Sequence[SymbolTensor]) -> list[bytes]:
        """Return the streams of all tensors."""

    def decode(self, blanks: Sequence[Blank], streams: Sequence[bytes]) -> list[Tensor]:
        """Return the symbols of all tensors."""

    def side_bytes(self) -> int:
        """Return the bytes that a decoder needs besides the streams, once `items` are encoded."""

    def estimated_bytes(self, items: Sequence[SymbolTensor]) -> float:
        """Return the cross-entropy of the symbols under the coder's own model."""


@dataclass
class ModelCoder:
    """An entropy model of the package for each tensor, all in one stream as in a file.

    Args:
        name: For the table.
        label: For the plot.
        build: Makes the model of a tensor.
        rate: Adam's rate when fitting.
        iterations: Its steps.
        in_steps: Whether distributions are in units of the step, as wide in every block, whatever its step; else they
            are in the tensor's own units.
    """

    name: str
    label: str
    build: Callable[[Tensor], EntropyModel]
    rate: float
    iterations: int
    in_steps: bool
    models: list[EntropyModel] = field(default_factory=list)

    def fit(self, items: Sequence[SymbolTensor], sample: Sequence[SymbolTensor]) -> None:
        """Minimise bits and side bits together."""
        self.models = [self.build(item.symbols * exact_exp2(self._log2_step(item))) for item in items]
        # A dual-axis model has parameters for every row: it cannot learn them from a smaller tensor.
        learned = items if isinstance(self.models[0], DualAxisGaussian) else sample
        pairs = zip(self.models, learned, strict=True)
        fit([Coded(m, item.symbols, self._log2_step(item)) for m, item in pairs], self.iterations, self.rate)

    @torch.no_grad()
    def encode(self, items: Sequence[SymbolTensor]) -> list[bytes]:
        """Return one stream."""
        encoder = SymbolEncoder()
        for model, item in zip(self.models, items, strict=True):
            model.encode(item.symbols, self._log2_step(item), encoder)
        return [encoder.to_bytes()]

    @torch.no_grad()
    def decode(self, blanks: Sequence[Blank], streams: Sequence[bytes]) -> list[Tensor]:
        """Return the symbols."""
        decoder = SymbolDecoder(streams[0])
        pairs = zip(self.models, blanks, strict=True)
        return [model.decode(blank.shape, self._log2_step(blank), decoder) for model, blank in pairs]

    def side_bytes(self) -> int:
        """Return the bytes of the models' phi and psi, as a file holds them."""
        psi, encoder = ByteWriter(), SymbolEncoder()
        for side in sides_of(self.models):
            side.encode(psi, encoder)
        return len(psi.to_bytes()) + len(encoder.to_bytes())

    @torch.no_grad()
    def estimated_bytes(self, items: Sequence[SymbolTensor]) -> float:
        """Return what the training pass says."""
        pairs = zip(self.models, items, strict=True)
        return sum(float(model.bits(item.symbols, self._log2_step(item))) for model, item in pairs) / 8

    def _log2_step(self, item: SymbolTensor | Blank) -> Tensor:
        return torch.zeros(()) if self.in_steps else item.log2_step
