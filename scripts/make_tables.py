"""Generate the constant tables of the coder with arbitrary-precision arithmetic.

Run `python scripts/make_tables.py` to rewrite `components/nvrc_components/coding/tables.npz`. The test suite
regenerates every array and compares it bit for bit, so the tables never depend on a maths library.
"""

from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
from numpy.typing import NDArray

from nvrc_components.coding import lattice

OUTPUT = Path(__file__).parents[1] / "components" / "nvrc_components" / "coding" / "tables.npz"
DIGITS = 50


def support(scale_index: int) -> int:
    """Return the largest tabulated residual: 5.5 standard deviations, where the tail's mass nears 2^-24."""
    with mpmath.workdps(DIGITS):
        return int(mpmath.ceil(mpmath.mpf(11) / 2 * scale(scale_index))) + 1


def scale(scale_index: int) -> mpmath.mpf:
    """Return the standard deviation that a scale index stands for, in quantisation steps."""
    exponent = mpmath.mpf(scale_index) / lattice.SCALES_PER_OCTAVE + mpmath.mpf(lattice.LOG2_SCALE_MIN)
    return mpmath.power(2, exponent)


def gaussian_counts(scale_index: int, phase: int) -> list[int]:
    """Return the integer frequencies of one table: residuals -K..K, then the escape; they sum to 2^24.

    `phase` is the mean's offset from the nearest integer in sixteenths. Every symbol gets at least one count.
    """
    with mpmath.workdps(DIGITS):
        sigma = scale(scale_index)
        mean = mpmath.mpf(phase) / lattice.MEAN_STEPS
        reach = support(scale_index)
        edges = [mpmath.mpf(2 * r - 1) / 2 - mean for r in range(-reach, reach + 2)]
        cdf = [mpmath.ncdf(edge / sigma) for edge in edges]
        free = lattice.TOTAL - (2 * reach + 2)
        counts = [1 + int(mpmath.floor((b - a) * free)) for a, b in pairwise(cdf)]
    return [*counts, lattice.TOTAL - sum(counts)]


def gaussian_table() -> NDArray[np.uint32]:
    """Return all tables, concatenated in the order of `lattice.table_keys()`."""
    return np.concatenate([np.array(gaussian_counts(*key), dtype=np.uint32) for key in lattice.table_keys()])


def power_table() -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
    """Return 2^(i/64) over the lattice's range as 12-bit mantissas and exponents: mantissa * 2^exponent."""
    mantissas, exponents = [], []
    with mpmath.workdps(DIGITS):
        for i in range(-lattice.POWER_REACH, lattice.POWER_REACH + 1):
            exponent = i // lattice.SIDE_STEPS - 11
            mantissa = mpmath.power(2, mpmath.mpf(i) / lattice.SIDE_STEPS - exponent)
            mantissas.append(int(mpmath.nint(mantissa)))
            exponents.append(exponent)
    return np.array(mantissas, dtype=np.uint16), np.array(exponents, dtype=np.int8)


def magnitude_table() -> NDArray[np.uint8]:
    """Return round(16 log2(1 + n)) for n = 0..CONTEXT_LIMIT + 1: the contexts' view of a symbol's magnitude."""
    with mpmath.workdps(DIGITS):
        values = [int(mpmath.nint(16 * mpmath.log(1 + n, 2))) for n in range(lattice.CONTEXT_LIMIT + 2)]
    return np.array(values, dtype=np.uint8)


def all_tables() -> dict[str, NDArray[np.generic]]:
    """Return every shipped array by name."""
    mantissas, exponents = power_table()
    return {
        "support": np.array([support(i) for i in range(lattice.SCALES)], dtype=np.uint16),
        "gaussian": gaussian_table(),
        "power_mantissa": mantissas,
        "power_exponent": exponents,
        "magnitude": magnitude_table(),
    }


if __name__ == "__main__":
    np.savez_compressed(OUTPUT, **all_tables())  # type: ignore[arg-type]
