"""Side information phi: the parameters of quantisers and entropy models, themselves quantised and entropy coded.

Hierarchy of the NVRC paper (section 3.2): theta, the representation's parameters, is coded with the help of phi,
which is coded with the help of psi. The paper stores psi as floats; here it is three small integers per tensor,
smaller and exact on every machine: log2 of phi's step in 1/8, the mean of its symbols in 1/16, their scale's index.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Self

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.coding.varint import ByteReader, ByteWriter
from nvrc_components.errors import InputError
from nvrc_components.functional import gaussian_bits, lower_bound, round_straight_through, upper_bound
from nvrc_components.functional.exact import exact_exp2

_FINEST: Final = 6
_ALONE: Final = 3
_PER_OCTAVE: Final = 8
_LEAST_VARIANCE: Final = 1e-4
_PULL: Final = 1 / 8
"""Spread below which the rate does not pull values together any harder: a Gaussian fitted to equal values would not
let the first of them go its way, whatever it gains."""
_WIDEST: Final = lattice.SCALES - 1


class SideTensor(nn.Module):
    """A small tensor on the 1/64 lattice with a learned step and a Gaussian fitted to its own symbols.

    Of one element the step is 1/8; of more it starts as fine as can be, for where little is rounded away a value can
    follow its gradient, and only the values' spread shows how coarse it may become.

    Shape: any; one element is stored as a plain integer without psi. `limit` is a power of two that clamps the values.
    `pace`, a power of two, is how much of an optimiser's step the values take: little where many of them add up, for
    Adam moves all by as much. The parameter is in multiples of it; the file does not know of it. Values that mean the
    same of different rows may have a level in `common`, which many gradients agree on and which moves at full pace
    while each by itself wanders little; the file has the sums.
    """

    def __init__(self, initial: Tensor, *, limit: float = 16.0, pace: float = 1.0, common: bool = False) -> None:
        super().__init__()
        several = initial.numel() > 1
        self.limit = limit
        self.pace = pace
        self.plain = False
        self.value = nn.Parameter(initial.detach().float() / pace)
        self.common = nn.Parameter(torch.zeros(()), requires_grad=common and several)
        self.log2_step = nn.Parameter(torch.tensor(-float(_FINEST if several else _ALONE)), requires_grad=several)

    def forward(self) -> Tensor:
        """Return the quantised values, exact multiples of 1/64; gradients pass straight through."""
        shared: Tensor | None = self.__dict__.get("shared")
        if shared is not None:
            return shared
        symbols, step = _quantize(self.unrounded(), self.log2_step, self.limit)
        return symbols * step

    def unrounded(self) -> Tensor:
        """Return the values in their own units, before they are rounded and limited."""
        return self.value * self.pace + self.common

    def bits(self) -> Tensor:
        """Return the bits of the values and of their psi.

        Shape: scalar.
        """
        with quantized_together([self]) as bits:
            return bits()

    @torch.no_grad()
    def add(self, amount: float) -> None:
        """Add to all values, in their own units."""
        self.value.add_(amount / self.pace)

    @torch.no_grad()
    def assign(self, values: Tensor) -> None:
        """Set all values, in their own units.

        Shape: that of the tensor, or as many elements.
        """
        self.value.copy_((values / self.pace).view_as(self.value))
        self.common.zero_()

    def make_plain(self) -> None:
        """Keep the finest step from now on and the widest Gaussian, about 10 bits for a value, instead of fitted ones.

        Only to measure what coding side information is worth. One element is stored as ever.
        """
        if self.value.numel() > 1:
            self.plain = True
            self.log2_step.requires_grad_(False).fill_(-float(_FINEST))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the module to another device, but stay in float32: half precision cannot hold the lattice."""

        def moved(tensor: Tensor) -> Tensor:
            other = fn(tensor)
            return other if other.dtype == tensor.dtype else tensor.to(other.device)

        result: Self = super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return result

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Save values in their own units, so that a state outlives a change of pace."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.pace != 1:
            destination[prefix + "value"] = destination[prefix + "value"] * self.pace

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take values in their own units, also of states without a common level; a plain tensor keeps its step."""
        state_dict.setdefault(prefix + "common", torch.zeros_like(self.common))
        if self.pace != 1 and prefix + "value" in state_dict:
            state_dict[prefix + "value"] = state_dict[prefix + "value"] / self.pace
        if self.plain:
            state_dict[prefix + "log2_step"] = self.log2_step.detach()
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def encode(self, psi: ByteWriter, encoder: SymbolEncoder) -> None:
        """Append psi and the symbols.

        Raises:
            InputError: a value is not finite.
        """
        if not (self.value.isfinite().all() and self.common.isfinite() and self.log2_step.isfinite()):
            raise InputError(
                "a quantiser's or entropy model's parameter is not finite: "
                "training has diverged, lower its learning rate or go back to an earlier checkpoint"
            )
        symbols, _ = _quantize(self.unrounded().detach(), self.log2_step.detach(), self.limit)
        integers = symbols.flatten().cpu().numpy().astype(np.int64)
        if integers.size == 1:
            psi.svarint(int(integers[0]))
            return
        means, scales = _fit(symbols.flatten(), [integers.size], [self.plain])
        psi.uvarint(-int(_snap_log2_step(self.log2_step) * _PER_OCTAVE))
        psi.svarint(int(means))
        psi.uvarint(int(scales))
        encoder.encode(integers, np.full(integers.size, int(means)), np.full(integers.size, int(scales)))

    @torch.no_grad()
    def decode(self, psi: ByteReader, decoder: SymbolDecoder) -> None:
        """Read psi and the symbols back, so that `forward` gives what the encoder's gave.

        Raises:
            BitstreamError: an integer of psi is out of its range.
        """
        count = self.value.numel()
        if count == 1:
            symbols = np.array([psi.svarint("side value")])
        else:
            self.log2_step.fill_(psi.uvarint("side step", 0, _FINEST * _PER_OCTAVE) / -_PER_OCTAVE)
            mean = psi.svarint("side mean", -(1 << 24), 1 << 24)
            scale = psi.uvarint("side scale", 0, lattice.SCALES - 1)
            symbols = decoder.decode(np.full(count, mean), np.full(count, scale))
        values = torch.from_numpy(symbols.astype(np.float32)).to(self.value.device)
        self.assign(values * _step(self.log2_step))


def sides_of(modules: Iterable[nn.Module]) -> list[SideTensor]:
    """Return the side tensors of modules, in coding order."""
    return [side for module in modules for side in module.modules() if isinstance(side, SideTensor)]


@contextmanager
def quantized_together(sides: Sequence[SideTensor]) -> Iterator[Callable[[], Tensor]]:
    """Quantise many side tensors in a few large operations; inside the block their `forward` gives the results.

    Yields a function that returns the bits of all of them, psi included, as a scalar; distortion steps never call it.
    """
    if not sides:
        yield partial(torch.zeros, ())
        return
    sizes = [side.value.numel() for side in sides]
    counts = torch.tensor(sizes)
    flat = torch.cat([side.value.flatten() for side in sides])
    counts = counts.to(flat.device)
    limits = flat.new_tensor([side.limit for side in sides])
    paces = flat.new_tensor([side.pace / side.limit for side in sides]).repeat_interleave(counts)
    commons = (torch.stack([side.common for side in sides]) / limits).repeat_interleave(counts)
    log2_steps = torch.stack([side.log2_step for side in sides]).repeat_interleave(counts)
    symbols, steps = _quantize(flat * paces + commons, log2_steps, 1.0, limits.repeat_interleave(counts))
    for side, part in zip(sides, (symbols * steps).split_with_sizes(sizes), strict=True):
        side.__dict__["shared"] = part.view(side.value.shape)
    try:
        yield partial(_bits, symbols, steps.detach(), sizes, [side.plain for side in sides])
    finally:
        for side in sides:
            del side.__dict__["shared"]


def _snap_log2_step(log2_step: Tensor) -> Tensor:
    bounded = upper_bound(lower_bound(log2_step, -float(_FINEST)), 0.0)
    return round_straight_through(bounded * _PER_OCTAVE) / _PER_OCTAVE


def _step(log2_step: Tensor) -> Tensor:
    """Return the step, a multiple of 1/64 from 1/64 to 1."""
    step = exact_exp2(_snap_log2_step(log2_step)) * lattice.SIDE_STEPS
    return round_straight_through(step) / lattice.SIDE_STEPS


def _quantize(values: Tensor, log2_step: Tensor, limit: float, unit: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Return symbols of values (given in `unit`s, clamped to +-limit of them) and the step."""
    step = _step(log2_step)
    clipped = upper_bound(lower_bound(values, -limit), limit) * unit
    return round_straight_through(clipped / step), step


def _fit(symbols: Tensor, sizes: Sequence[int], plain: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Return means (sixteenths) and scale indices of the Gaussians that fit consecutive runs of symbols, or plain ones.

    Shape: (N,) and S sizes that sum to N -> two (S,) int64.
    """
    counts = torch.tensor(sizes, device=symbols.device)
    owner = torch.arange(len(sizes), device=symbols.device).repeat_interleave(counts)
    zeros = symbols.new_zeros(len(sizes), dtype=torch.float64)
    exact = symbols.detach().double()
    means = torch.round(zeros.index_add(0, owner, exact) / counts * lattice.MEAN_STEPS)
    deviations = (exact - (means / lattice.MEAN_STEPS)[owner]).square()
    variances = zeros.index_add(0, owner, deviations) / counts
    log2_scales = variances.clamp_min(_LEAST_VARIANCE).log2() / 2
    indices = torch.round((log2_scales - lattice.LOG2_SCALE_MIN) * lattice.SCALES_PER_OCTAVE)
    if not any(plain):
        return means.long(), indices.clamp(0, _WIDEST).long()
    widest = torch.tensor(plain, device=symbols.device)
    return means.long().masked_fill(widest, 0), indices.clamp(0, _WIDEST).long().masked_fill(widest, _WIDEST)


def _bits(symbols: Tensor, steps: Tensor, sizes: Sequence[int], plain: Sequence[bool]) -> Tensor:
    """Return the bits of consecutive runs of symbols with their psi; gradients are those of a spread of `_PULL` more.

    Shape: symbols and steps (N,) -> scalar.
    """
    means, scales = _fit(symbols, sizes, plain)
    counts = torch.tensor(sizes, device=symbols.device)
    single = (counts == 1).repeat_interleave(counts)
    mean = (means.float() / lattice.MEAN_STEPS).repeat_interleave(counts)
    log2_scale = (scales.float() / lattice.SCALES_PER_OCTAVE + lattice.LOG2_SCALE_MIN).repeat_interleave(counts)
    coded = gaussian_bits(symbols.detach(), mean, log2_scale).masked_fill(single, 0.0).sum()
    wider = torch.logaddexp2(2 * log2_scale, 2 * (_PULL / steps).log2()) / 2
    pulled = gaussian_bits(symbols, mean, wider).masked_fill(single, 0.0).sum()
    alone = _svarint_bits(symbols.detach()[single]).sum()
    psi = (16 + _svarint_bits(means[counts > 1])).sum()
    return coded + (pulled - pulled.detach()) + alone + psi


def _svarint_bits(values: Tensor) -> Tensor:
    """Return the bits of zigzag variable-length integers: seven to a byte."""
    folded = torch.where(values < 0, -2 * values - 1, 2 * values).long()
    groups = torch.stack([folded >> shift > 0 for shift in range(7, 56, 7)]).sum(0)
    return 8 * (1 + groups)
