"""Sizes and times as people write them."""

import math
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.errors import InputError
from nvrc_lightning.quantities import parse_duration, parse_size

UNITS = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@given(st.integers(1, 10**9), st.integers(0, 99), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_sizes(whole, hundredths, unit, space):
    exact = (whole + Fraction(hundredths, 100)) * UNITS[unit]
    assert parse_size(f"{whole}.{hundredths:02d}{space}{unit}") == math.floor(exact)


@given(st.integers(0, 99), st.integers(0, 999), st.floats(0.01, 9999).map(lambda x: round(x, 2)))
def test_times(hours, minutes, seconds):
    expected = 3600 * hours + 60 * minutes + seconds
    assert parse_duration(f"{hours}h{minutes}m{seconds:.2f}s") == pytest.approx(expected)
    assert parse_duration(f"{hours}h {minutes} min {seconds:.2f} s") == pytest.approx(expected)
    assert parse_duration(f"{seconds:.2f}s") == pytest.approx(seconds)


def test_examples():
    assert [parse_size(text) for text in ("200kB", "1.5MB", "300KiB", "51200", ".5 kB")] == [
        200_000,
        1_500_000,
        307_200,
        51_200,
        500,
    ]
    assert [parse_duration(text) for text in ("90s", "10m", "1h30m", "1.5h")] == [90, 600, 5400, 5400]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "such as 200kB"),
        ("kB", "such as 200kB"),
        ("-3kB", "such as 200kB"),
        ("2 litres", "such as 200kB"),
        ("1e3", "such as 200kB"),
        ("nan", "such as 200kB"),
        ("200kb", "write 200kB for bytes"),
        ("0", "less than a byte"),
        ("0.4B", "less than a byte"),
    ],
)
def test_what_is_no_size(text, hint):
    with pytest.raises(InputError, match=hint):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "such as 90s"),
        ("90", "give a unit"),
        ("-5m", "such as 90s"),
        ("30m1h", "such as 90s"),
        ("5 days", "such as 90s"),
        ("0s", "no time at all"),
    ],
)
def test_what_is_no_time(text, hint):
    with pytest.raises(InputError, match=hint):
        parse_duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_an_error_of_ours(text):
    for parse in (parse_size, parse_duration):
        with suppress(InputError):
            assert 0 < parse(text) < 1e25
