"""Quantisation, rate and entropy coding for the parameters of any `nn.Module`.

theta: the module's parameters -----------> symbols --> range coder --> one stream per group
           ^ steps      distributions --^
phi:   the quantisers' and entropy models' side tensors, coded first
psi:   three integers for each tensor of phi
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nvrc_components.balance import Rounded, balance_steps
from nvrc_components.coarsening import coarsen
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.coding.varint import ByteReader, ByteWriter
from nvrc_components.errors import BitstreamError
from nvrc_components.fitting import Coded, fit
from nvrc_components.functional import counter_uniform
from nvrc_components.groups import SIDE, Group, TensorCodec, check_groups, group_of
from nvrc_components.quantizers import WHOLE, Quantizer, StraightThrough, Surrogate, Window
from nvrc_components.quantizers.windows import take_rows, windows_of
from nvrc_components.side import SideTensor, quantized_together, sides_of

__all__ = ["SIDE", "CompressedModule", "Group", "Streams"]


@dataclass(frozen=True)
class Streams:
    """The compressed parameters: phi's stream and one for each group, in coding order."""

    side: bytes
    groups: dict[str, bytes] = field(default_factory=dict)


class CompressedModule(nn.Module):
    """Wraps a module so that it computes with quantised parameters, whose bits are known and can be written.

    Every parameter belongs to the first group whose pattern matches its name (`fnmatch` rules). While training,
    `surrogate` stands in for rounding; in evaluation mode parameters are rounded. Noise is a pure function of
    (seed, step, element), so it is the same on every rank and device, and resumes with the state dict. Buffers are not
    coded: a module must be able to rebuild its own.

    Raises:
        ValueError: there are no parameters, one matches no group, or two groups share a name.
    """

    step: Tensor

    def __init__(
        self,
        module: nn.Module,
        groups: Sequence[Group],
        surrogate: Surrogate | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.groups = tuple(groups)
        self.surrogate = surrogate or StraightThrough()
        self.seed = seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.names = tuple(name for name, _ in module.named_parameters())
        check_groups(groups, self.names)
        codecs = (TensorCodec(group_of(name, groups), tensor) for name, tensor in module.named_parameters())
        self.codecs = nn.ModuleList(codecs)
        self._places = _places(module)

    def forward(self, *args: Any, windows: Mapping[str, Sequence[int]] | None = None, **kwargs: Any) -> Any:
        """Return the module's output under quantised parameters.

        `windows` names the parameters of which only some rows are wanted, by ascending number; the module gets those
        alone, in that order.

        Raises:
            ValueError: a window is of no parameter, or its rows are none, out of order or not all inside.
        """
        return functional_call(self.module, self.quantized(windows or {}), args, kwargs)

    def quantized(self, windows: Mapping[str, Sequence[int]] | None = None) -> dict[str, Tensor]:
        """Return the quantised parameters by name; of those in `windows` just the rows with these ascending numbers.

        Shape: each parameter's; (rows of its window, ...) of those in `windows`.

        Raises:
            ValueError: a window is of no parameter, or its rows are none, out of order or not all inside.
        """
        items = list(self._items(windows or {}))
        with quantized_together(sides_of([codec.quantizer for _, codec, *_ in items])):
            steps = [codec.quantizer.step(window) for _, codec, _, window in items]
        symbols = self._surrogate_symbols(items, steps)
        return {
            name: (symbol * step).to(tensor.dtype)
            for (name, _, tensor, _), symbol, step in zip(items, symbols, steps, strict=True)
        }

    def bits(self) -> dict[str, Tensor]:
        """Return the bits of all parameters: those of phi as `side`, and those of theta by group.

        Shape: scalars, bits.
        """
        items = list(self._items({}))
        with quantized_together(self.side_tensors()) as side_bits:
            symbols = self._surrogate_symbols(items, [codec.quantizer.step() for _, codec, *_ in items])
            totals = {SIDE: side_bits()}
            for (_, codec, _, _), symbol in zip(items, symbols, strict=True):
                bits = codec.entropy_model.bits(symbol, codec.quantizer.log2_step())
                totals[codec.group] = totals[codec.group] + bits if codec.group in totals else bits
        return totals

    def side_tensors(self) -> list[SideTensor]:
        """Return all of phi, in coding order."""
        return sides_of([self.codecs])

    def tensor_codecs(self) -> Iterator[TensorCodec]:
        """Yield the codec of every parameter, in coding order."""
        for codec in self.codecs:
            assert isinstance(codec, TensorCodec)
            yield codec

    @torch.no_grad()
    def calibrate(self) -> None:
        """Set steps and entropy models to what they would start from with the parameters as they are now."""
        for name, codec, tensor, _ in self._items({}):
            codec.load_state_dict(TensorCodec(group_of(name, self.groups), tensor).state_dict())

    def balance(self, curvature: Mapping[str, Tensor]) -> None:
        """Set the learned steps of each group in proportion to each other; see `balance_steps`.

        Args:
            curvature: the distortion's second derivative by each parameter, such as `gauss_newton_diagonal` gives.
        """
        for group in self.groups:
            balance_steps(
                [
                    Rounded(codec.quantizer, tensor, curvature[name])
                    for name, codec, tensor, _ in self._items({})
                    if codec.group == group.name and any(p.requires_grad for p in codec.quantizer.parameters())
                ]
            )

    @torch.no_grad()
    def compress(self) -> Streams:
        """Return the streams of all parameters, rounded.

        Raises:
            InputError: a parameter is not finite or far too large for its quantisation step.
        """
        psi, encoder = ByteWriter(), SymbolEncoder()
        for side in self.side_tensors():
            side.encode(psi, encoder)
        encoders = {group.name: SymbolEncoder() for group in self.groups}
        for name, codec, tensor, _ in self._items({}):
            symbols = codec.rounded(name, tensor)
            codec.entropy_model.encode(symbols, codec.quantizer.log2_step(), encoders[codec.group])
        header = ByteWriter()
        header.uvarint(len(psi.to_bytes()))
        used = {codec.group for codec in self.tensor_codecs()}
        return Streams(
            header.to_bytes() + psi.to_bytes() + encoder.to_bytes(),
            {name: encoder.to_bytes() for name, encoder in encoders.items() if name in used},
        )

    @torch.no_grad()
    def decompress(self, streams: Streams) -> None:
        """Set all parameters to what the streams hold.

        Raises:
            BitstreamError: a stream is missing or does not hold these parameters.
        """
        if streams.groups.keys() != {codec.group for codec in self.tensor_codecs()}:
            raise BitstreamError(f"the streams are those of groups {', '.join(streams.groups)}, not the network's")
        self._decompress_side(streams.side)
        decoders = {name: SymbolDecoder(stream, f"section 'group:{name}'") for name, stream in streams.groups.items()}
        for _, codec, tensor, _ in self._items({}):
            quantizer: Quantizer = codec.quantizer
            symbols = codec.entropy_model.decode(tensor.shape, quantizer.log2_step(), decoders[codec.group])
            tensor.copy_(symbols * quantizer.step())
        for decoder in decoders.values():
            decoder.finish()

    def _decompress_side(self, stream: bytes) -> None:
        source = f"section '{SIDE}'"
        reader = ByteReader(stream, source)
        psi = ByteReader(reader.bytes(reader.uvarint("psi length"), "psi"), source)
        decoder = SymbolDecoder(reader.rest(), source)
        for side in self.side_tensors():
            side.decode(psi, decoder)
        psi.finish()
        decoder.finish()

    def fit_entropy_models(self, iterations: int = 100, rate: float = 0.03) -> None:
        """Improve the entropy models alone for the rounded parameters: fewer bits, the same reconstruction.

        Adam over the entropy models' own parameters; steps and theta stay as they are. The best iterate is kept.
        """
        fit(self.coded(), iterations, rate)

    def coarsen_entropy_models(self) -> None:
        """Store the entropy models' side information as coarsely as pays: fewer bits, the same reconstruction.

        The last thing before a file is written, for what is coarse or all alike hardly learns any more.
        """
        coarsen(self.coded())

    @torch.no_grad()
    def coded(self) -> list[Coded]:
        """Return every tensor's rounded symbols, the entropy model that codes them, and their steps.

        Raises:
            InputError: a parameter is not finite or far too large for its quantisation step.
        """
        return [
            Coded(codec.entropy_model, codec.rounded(name, tensor), codec.quantizer.log2_step())
            for name, codec, tensor, _ in self._items({})
        ]

    def _items(self, rows: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, TensorCodec, Tensor, Window]]:
        parameters = dict(self.module.named_parameters())
        windows = windows_of(rows, parameters)
        for name, codec in zip(self.names, self.tensor_codecs(), strict=True):
            tensor, window = parameters[name], windows.get(name, WHOLE)
            yield name, codec, take_rows(tensor, window) if name in windows else tensor, window

    def _surrogate_symbols(
        self, items: Sequence[tuple[str, TensorCodec, Tensor, Window]], steps: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return stand-ins for the rounded symbols, all tensors in one go: hundreds of small calls cost more."""
        scaled = [tensor.float() / step for (_, _, tensor, _), step in zip(items, steps, strict=True)]
        flat = torch.cat([x.flatten() for x in scaled])
        if not self.training:
            symbols = torch.round(flat)
        elif self.surrogate.needs_noise:
            symbols = self.surrogate(flat, self._noise(items, flat.device))
        else:
            symbols = self.surrogate(flat, flat)
        parts = symbols.split_with_sizes([x.numel() for x in scaled])
        return [part.view(x.shape) for part, x in zip(parts, scaled, strict=True)]

    def _noise(self, items: Sequence[tuple[str, TensorCodec, Tensor, Window]], device: torch.device) -> Tensor:
        self.step += 1
        ranges = []
        for name, _, tensor, window in items:
            start, row = self._places[name]
            if isinstance(window, slice):
                first = start + (window.start or 0) * row
                ranges.append(torch.arange(first, first + tensor.numel(), dtype=torch.int32, device=device))
            else:
                first_row = torch.arange(start, start + row, dtype=torch.int32, device=device)
                ranges.append((window.int()[:, None] * row + first_row).flatten())
        return counter_uniform(torch.cat(ranges), (self.seed << 40) + int(self.step))


def _places(module: nn.Module) -> dict[str, tuple[int, int]]:
    """Return for each parameter the number of its first element among all, and the elements of one of its rows."""
    places, start = {}, 0
    for name, parameter in module.named_parameters():
        rows = parameter.shape[0] if parameter.dim() else 1
        places[name] = start, parameter.numel() // max(rows, 1)
        start += parameter.numel()
    return places
