"""Symbols to bytes and back: round trips, pinned bytes, overhead, and streams that are not ours."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import LIMIT, SymbolDecoder, SymbolEncoder
from nvrc_components.coding.varint import ByteWriter
from nvrc_components.errors import BitstreamError

SYMBOLS = st.one_of(st.integers(-3, 3), st.integers(-3000, 3000), st.integers(-LIMIT, LIMIT))
MEANS = st.one_of(st.integers(-40, 40), st.integers(-(1 << 25), 1 << 25))
SCALES = st.integers(0, lattice.SCALES - 1)
CALL = st.lists(st.tuples(SYMBOLS, MEANS, SCALES), max_size=40)


def arrays(call):
    columns = zip(*call, strict=True) if call else ((), (), ())
    return tuple(np.array(column, dtype=np.int64) for column in columns)


def encoded(*calls):
    encoder = SymbolEncoder()
    for call in calls:
        encoder.encode(*call)
    return encoder.to_bytes()


def round_trip(*calls):
    data = encoded(*calls)
    decoder = SymbolDecoder(data)
    for symbols, means, scales in calls:
        read = decoder.decode(means, scales)
        assert read.dtype == np.int64
        assert np.array_equal(read, symbols)
    decoder.finish()
    return data


def sample(count, seed=0, spread=1.0):
    """Symbols drawn from the very distributions that code them."""
    generator = np.random.default_rng(seed)
    scales = generator.integers(0, lattice.SCALES, count)
    means = generator.integers(-200, 200, count)
    noise = generator.normal(size=count) * np.exp2(scales / 8 - 3.25) * spread
    return np.rint(means / 16 + noise).astype(np.int64), means, scales


def ideal_bits(symbols, means, scales):
    """Minus log2 of each symbol's share of its table, found without the coder."""
    total = 0.0
    for symbol, mean, scale in zip(symbols.tolist(), means.tolist(), scales.tolist(), strict=True):
        centre = (mean + 8) // 16
        phase = mean - 16 * centre if scale < lattice.COARSE_SCALE else 0
        reach = lattice.supports()[scale]
        inside = abs(symbol - centre) <= reach
        counts = lattice.gaussian_counts(scale, phase)
        total -= np.log2(counts[symbol - centre + reach if inside else -1] / lattice.TOTAL)
        if not inside:
            writer = ByteWriter()
            writer.svarint(symbol - centre)
            total += 8 * len(writer.to_bytes())
    return total


@given(st.lists(CALL, max_size=4))
@example([])
@example([[]])
@example([[], [(0, 0, 0)], []])
@example([[(LIMIT, -(1 << 25), 0), (-LIMIT, 1 << 25, 90)]])
@example([[(0, 0, 0)] * 40])
def test_calls_of_any_symbols_round_trip(calls):
    round_trip(*(arrays(call) for call in calls))


def test_every_scale_and_every_phase_round_trips_inside_at_and_beyond_the_tables_reach():
    for scale in range(lattice.SCALES):
        reach = lattice.supports()[scale]
        residuals = np.array([0, 1, -1, reach, -reach, reach + 1, -reach - 1, 5 * reach, -5 * reach])
        means = np.repeat(np.arange(-24, 24), len(residuals))
        symbols = np.tile(residuals, 48) + (means + 8) // 16
        round_trip((symbols, means, np.full(len(means), scale)))


def test_symbols_beyond_2_to_40_are_refused():
    for symbol in (LIMIT + 1, -LIMIT - 1, np.iinfo(np.int64).min, np.iinfo(np.int64).max):
        with pytest.raises(OverflowError, match="step is far too small"):
            SymbolEncoder().encode(*arrays([(0, 0, 0), (symbol, 0, 0)]))


def test_a_constant_costs_nearly_nothing():
    call = (np.zeros(1_000_000, np.int64), np.zeros(1_000_000, np.int64), np.zeros(1_000_000, np.int64))
    assert len(round_trip(call)) <= 6


def test_nothing_at_all_is_one_byte():
    assert encoded() == encoded(arrays([])) == b"\0"


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_real_bits_are_the_ideal_ones(spread):
    call = sample(30_000, spread=spread)
    ideal = ideal_bits(*call)
    assert 0 <= 8 * len(round_trip(call)) - ideal <= 0.002 * ideal + 64


def test_the_cost_does_not_depend_on_how_symbols_are_split_into_calls():
    symbols, means, scales = sample(20_000)
    whole = encoded((symbols, means, scales))
    parts = round_trip(
        *((symbols[i : i + 500], means[i : i + 500], scales[i : i + 500]) for i in range(0, 20_000, 500))
    )
    assert abs(len(parts) - len(whole)) <= 16


def fixed():
    index = np.arange(2000)
    scales = index * 37 % lattice.SCALES
    means = index * 7919 % 401 - 200
    return means // 16 + (index * 104_729 % 23 - 11) * (scales + 1) // 8, means, scales


def test_bytes_are_pinned():
    symbols, means, scales = fixed()
    assert (
        encoded((symbols[:16], means[:16], scales[:16])).hex()
        == "0605070717184cffffffff020000fe77ffffff3017ecf35fe3666b3480b5fc1cb7a1b9"
    )
    data = round_trip((symbols, means, scales))
    assert len(data) == 4470
    assert hashlib.sha256(data).hexdigest() == "4b99444e57926d09721c6f23769eb772b15c8855fefe63f39e8986d99bcb6726"


def test_every_truncation_of_a_stream_is_noticed_or_reads_other_symbols():
    symbols, means, scales = sample(300, seed=3, spread=1.5)
    data = encoded((symbols, means, scales))
    for length in range(len(data)):
        try:
            read = SymbolDecoder(data[:length]).decode(means, scales)
        except BitstreamError:
            continue
        assert not np.array_equal(read, symbols)


@given(st.binary(max_size=120), st.lists(st.tuples(MEANS, SCALES), max_size=60))
def test_arbitrary_bytes_read_as_symbols_or_raise_a_bitstream_error(data, parameters):
    means, scales = (np.array([pair[i] for pair in parameters], dtype=np.int64) for i in (0, 1))
    try:
        decoder = SymbolDecoder(data)
        assert np.abs(decoder.decode(means, scales)).max(initial=0) <= 3 * LIMIT
        decoder.finish()
    except BitstreamError as error:
        assert str(error).startswith("parameter stream: ")  # noqa: PT017 - most streams decode


@given(st.data())
def test_damaged_streams_read_as_symbols_or_raise_a_bitstream_error(data):
    symbols, means, scales = sample(200, seed=5, spread=3.0)
    damaged = bytearray(encoded((symbols, means, scales)))
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    try:
        SymbolDecoder(bytes(damaged)).decode(means, scales)
    except BitstreamError:
        return


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "film: truncated: escape length needs 1 bytes, 0 are left"),
        (b"\x05ab", "film: truncated: escapes needs 5 bytes, 2 are left"),
        (b"\0" + b"\xff" * 12, "film: corrupted: no symbol matches its bits"),
    ],
)
def test_messages_say_what_is_wrong(data, message):
    with pytest.raises(BitstreamError) as caught:
        SymbolDecoder(data, "film").decode(np.zeros(1, np.int64), np.zeros(1, np.int64))
    assert str(caught.value) == message


def test_what_is_left_over_is_noticed():
    symbols, means, scales = sample(3000)
    data = encoded((symbols, means, scales))
    decoder = SymbolDecoder(data, "film")
    decoder.decode(means[:2000], scales[:2000])
    with pytest.raises(BitstreamError, match="film: "):
        decoder.finish()
    decoder = SymbolDecoder(data + b"more than a word", "film")
    assert np.array_equal(decoder.decode(means, scales), symbols)
    with pytest.raises(BitstreamError, match="film: holds more symbols than the network has parameters"):
        decoder.finish()
