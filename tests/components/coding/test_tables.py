"""The constant tables: what they hold, where they come from, and that constriction codes with exactly them."""

import importlib.util
from pathlib import Path

import constriction
import numpy as np
import pytest
from scipy.stats import norm

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import _model

ROOT = Path(__file__).parents[3]
KEYS = list(lattice.table_keys())


def make_tables():
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "scripts" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_shipped_tables_bit_for_bit():
    script = make_tables()
    made = script.all_tables()
    with np.load(script.OUTPUT, allow_pickle=False) as shipped:
        assert set(shipped.files) == set(made)
        for name, array in made.items():
            assert array.dtype == shipped[name].dtype
            assert array.tobytes() == shipped[name].tobytes(), name


def test_every_table_sums_to_2_to_24_and_has_no_empty_symbol():
    assert len(KEYS) == len(set(KEYS)) == 50 * 16 + 41
    for scale, phase in KEYS:
        counts = lattice.gaussian_counts(scale, phase).astype(np.int64)
        assert len(counts) == 2 * lattice.supports()[scale] + 2
        assert counts.sum() == 1 << 24
        assert counts.min() >= 1


def test_tables_hold_the_masses_of_the_normal_distribution():
    for scale, phase in KEYS[::7]:
        reach = lattice.supports()[scale]
        edges = np.arange(-reach, reach + 2) - 0.5
        cdf = norm.cdf(edges, phase / 16, 2 ** (scale / 8 - 3.25))
        free = 2**24 - 2 * reach - 2
        np.testing.assert_allclose(lattice.gaussian_counts(scale, phase)[:-1] - 1.0, np.diff(cdf) * free, atol=1.001)


def test_a_negative_phase_is_the_mirror_image_of_the_positive_one():
    for scale in range(0, lattice.COARSE_SCALE, 5):
        for phase in range(1, 8):
            left, right = lattice.gaussian_counts(scale, -phase), lattice.gaussian_counts(scale, phase)
            assert np.array_equal(left[:-1], right[:-1][::-1])


def decoded_symbol(point, model):
    """Return what the range decoder reads first when its 64-bit state starts at `point`."""
    words = np.array([point >> 32, point & 0xFFFFFFFF], dtype=np.uint32)
    return int(constriction.stream.queue.RangeDecoder(words).decode(model))


def test_constriction_codes_with_exactly_these_counts():
    # A fresh decoder's range is 2^64 - 1, so that it gives each count a share of (2^64 - 1) >> 24 points.
    share = (1 << 40) - 1
    for scale, phase in KEYS[::3]:
        model = _model(scale, phase)
        starts = np.cumsum(lattice.gaussian_counts(scale, phase).astype(np.int64)).tolist()
        for symbol, stop in enumerate(starts[:-1]):
            assert decoded_symbol(stop * share - 1, model) == symbol
            assert decoded_symbol(stop * share, model) == symbol + 1
        with pytest.raises(AssertionError):
            decoded_symbol(starts[-1] * share, model)


def test_powers_of_two_have_twelve_bits_and_are_the_nearest_such_numbers():
    powers = lattice.powers_of_two().astype(np.float64)
    exponents = np.arange(-lattice.POWER_REACH, lattice.POWER_REACH + 1) / lattice.SIDE_STEPS
    mantissas = np.frexp(powers)[0] * 4096
    assert np.array_equal(mantissas, mantissas.round())
    np.testing.assert_allclose(powers, np.exp2(exponents), rtol=2.0**-12)
    assert np.array_equal(powers[::64], 2.0 ** np.arange(-16, 17))


def test_magnitudes_are_sixteenths_of_log2():
    values = lattice.magnitudes()
    assert np.array_equal(values, np.round(16 * np.log2(1 + np.arange(lattice.CONTEXT_LIMIT + 2))))
