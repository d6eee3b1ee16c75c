"""What the entropy coding benchmark asks of a coder, and the package's own entropy models as such coders."""

from collections.abc import Callable, Sequence
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

RATE = 0.1


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


class ModelCoder:
    """An entropy model of the package for each tensor, all in one stream as in a file."""

    def __init__(self, name: str, label: str, build: Callable[[Tensor], EntropyModel], iterations: int) -> None:
        self.name, self.label = name, label
        self.build = build
        self.iterations = iterations
        self.models: list[EntropyModel] = []

    def fit(self, items: Sequence[SymbolTensor], sample: Sequence[SymbolTensor]) -> None:
        """Minimise bits and side bits together."""
        self.models = [self.build(item.symbols * exact_exp2(item.log2_step)) for item in items]
        # A dual-axis model has parameters for every row: it cannot learn them from a smaller tensor.
        learned = items if isinstance(self.models[0], DualAxisGaussian) else sample
        coded = [Coded(model, s.symbols, s.log2_step) for model, s in zip(self.models, learned, strict=True)]
        fit(coded, self.iterations, RATE)

    @torch.no_grad()
    def encode(self, items: Sequence[SymbolTensor]) -> list[bytes]:
        """Return one stream."""
        encoder = SymbolEncoder()
        for model, item in zip(self.models, items, strict=True):
            model.encode(item.symbols, item.log2_step, encoder)
        return [encoder.to_bytes()]

    @torch.no_grad()
    def decode(self, blanks: Sequence[Blank], streams: Sequence[bytes]) -> list[Tensor]:
        """Return the symbols."""
        decoder = SymbolDecoder(streams[0])
        return [
            model.decode(blank.shape, blank.log2_step, decoder)
            for model, blank in zip(self.models, blanks, strict=True)
        ]

    def side_bytes(self) -> int:
        """Return the bytes of the models' phi and psi, as a file holds them."""
        psi, encoder = ByteWriter(), SymbolEncoder()
        for side in sides_of(self.models):
            side.encode(psi, encoder)
        return len(psi.to_bytes()) + len(encoder.to_bytes())

    @torch.no_grad()
    def estimated_bytes(self, items: Sequence[SymbolTensor]) -> float:
        """Return what the training pass says."""
        bits = (m.bits(item.symbols, item.log2_step) for m, item in zip(self.models, items, strict=True))
        return sum(float(b) for b in bits) / 8
