"""The integer lattices between the stream and a symbol: what may be a mean, a scale, a step.

Everything that decides how a symbol is coded lies on one of these lattices, so that it is an integer on every
machine. Floating-point tensors may hold the integers: sums and products stay below 2^24 and are therefore exact
in float32, whatever the order of summation.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

PRECISION: Final = 24
TOTAL: Final = 1 << PRECISION
"""Counts of every probability table sum to this."""

MEAN_STEPS: Final = 16
"""A mean is a multiple of 1/16 of a quantisation step."""

SCALES_PER_OCTAVE: Final = 8
LOG2_SCALE_MIN: Final = -3.25
LOG2_SCALE_MAX: Final = 8.0
SCALES: Final = int((LOG2_SCALE_MAX - LOG2_SCALE_MIN) * SCALES_PER_OCTAVE) + 1
"""Scale i stands for the standard deviation 2^(i/8 - 3.25), in quantisation steps."""

COARSE_SCALE: Final = int((3.0 - LOG2_SCALE_MIN) * SCALES_PER_OCTAVE)
"""From standard deviation 8 on, a fractional mean is worth under 0.003 bits a symbol: means are rounded there."""

SIDE_STEPS: Final = 64
"""Side information (log-steps, log-scales, context weights) is a multiple of 1/64."""

POWER_REACH: Final = 16 * SIDE_STEPS
CONTEXT_LIMIT: Final = 127
"""Contexts see symbols clamped to +-127."""


def table_keys() -> Iterator[tuple[int, int]]:
    """Yield (scale index, mean phase in sixteenths) of every table, in stored order."""
    for scale in range(SCALES):
        for phase in range(-MEAN_STEPS // 2, MEAN_STEPS // 2) if scale < COARSE_SCALE else (0,):
            yield scale, phase


@lru_cache(maxsize=1)
def _arrays() -> dict[str, NDArray[np.generic]]:
    with np.load(str(files(__package__) / "tables.npz"), allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


@lru_cache(maxsize=1)
def supports() -> tuple[int, ...]:
    """Return for each scale the largest residual K that its tables hold; beyond it the escape code takes over."""
    return tuple(_arrays()["support"].tolist())


@lru_cache(maxsize=1)
def _gaussian_offsets() -> dict[tuple[int, int], tuple[int, int]]:
    offsets, start = {}, 0
    for key in table_keys():
        stop = start + 2 * supports()[key[0]] + 2
        offsets[key] = (start, stop)
        start = stop
    return offsets


def gaussian_counts(scale_index: int, phase: int) -> NDArray[np.generic]:
    """Return one table of integer frequencies: residuals -K..K, then the escape."""
    start, stop = _gaussian_offsets()[scale_index, phase]
    return _arrays()["gaussian"][start:stop]


@lru_cache(maxsize=1)
def powers_of_two() -> NDArray[np.float32]:
    """Return 2^(i/64) for i = -POWER_REACH..POWER_REACH, each an exact float32 of 12 significant bits."""
    arrays = _arrays()
    mantissas = arrays["power_mantissa"].astype(np.float64)
    return np.ldexp(mantissas, arrays["power_exponent"].astype(np.int32)).astype(np.float32)


@lru_cache(maxsize=1)
def magnitudes() -> NDArray[np.float32]:
    """Return round(16 log2(1 + n)) for n = 0..CONTEXT_LIMIT + 1, as exact float32 integers."""
    return _arrays()["magnitude"].astype(np.float32)
