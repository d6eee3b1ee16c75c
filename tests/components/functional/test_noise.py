import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nvrc_components.functional import counter_uniform, kumaraswamy_noise

KEYS = [0, 1, 2, 3, 1 << 32, (1 << 63) + 5, -1]


PINNED = (
    [16770543, 3104365, 13251531, 14648577, 8791499, 10857417, 10258285],
    [11034659, 15757357, 3559983, 8540357, 16580329, 12691345, 11671721],
)


def test_values_are_pinned():
    index = torch.tensor([0, 1, 2, 1000, 2**31 - 1, 2**31, 2**40 + 3])
    assert (counter_uniform(index, 0) * 2**24).long().tolist() == PINNED[0]
    assert (counter_uniform(index, 123456789012345) * 2**24).long().tolist() == PINNED[1]


@given(st.integers(0, 2**62), st.integers(1, 50), st.data())
def test_the_noise_of_a_slice_is_the_slice_of_the_noise(start, count, data):
    index = torch.arange(start, start + count)
    cut = data.draw(st.integers(0, count))
    whole = counter_uniform(index, 9)
    assert torch.equal(whole, torch.cat([counter_uniform(index[:cut], 9), counter_uniform(index[cut:], 9)]))


def test_both_integer_types_agree_and_the_index_is_left_alone():
    index = torch.randint(0, 2**31 - 1, (4, 5, 6))
    before = index.clone()
    assert torch.equal(counter_uniform(index, 5), counter_uniform(index.int(), 5))
    assert torch.equal(index, before)
    assert counter_uniform(index, 5).shape == (4, 5, 6)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("start", [0, 10_000_000, 2**40])
def test_values_are_uniform(key, start):
    u = counter_uniform(torch.arange(start, start + 200_000), key)
    assert u.dtype == torch.float32
    assert u.min() > 0
    assert u.max() < 1
    assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("lag", [1, 2, 3, 16, 256, 1024, 4096, 65536])
@pytest.mark.parametrize("key", [0, 7])
def test_neighbouring_indices_are_independent(key, lag):
    u = counter_uniform(torch.arange(300_000, dtype=torch.int32), key).numpy()
    assert_independent(u[:-lag], u[lag:])


@pytest.mark.parametrize("pair", list(itertools.combinations(KEYS, 2)))
def test_keys_are_independent(pair):
    index = torch.arange(300_000, dtype=torch.int32)
    a, b = (counter_uniform(index, key).numpy() for key in pair)
    assert_independent(a, b)


def assert_independent(a, b):
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(len(a))
    cells = np.histogram2d(a, b, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(cells.ravel()).pvalue > 1e-5


def test_every_bit_of_index_and_key_reaches_every_bit_of_the_value():
    index = torch.randint(0, 2**31 - 1, (20_000,), generator=torch.Generator().manual_seed(1))
    bits = 1 << torch.arange(1, 24)
    base = (counter_uniform(index, 77) * 2**24).long()
    for bit in range(40):
        for changed in (counter_uniform(index ^ 1 << bit, 77), counter_uniform(index, 77 ^ 1 << bit)):
            flipped = ((base ^ (changed * 2**24).long())[:, None] & bits) != 0
            assert (flipped.float().mean(0) - 0.5).abs().max() < 0.05


def test_other_index_types_are_refused():
    with pytest.raises(ValueError, match="int32 or int64"):
        counter_uniform(torch.zeros(3), 0)


@pytest.mark.parametrize("a", [1.0, 1.0001, 1.5, 2.0, 4.0, 16.0])
def test_kumaraswamy_noise_has_its_distribution_its_support_and_its_mode_at_zero(a):
    extremes = torch.tensor([2.0**-24, 1 - 2.0**-24])
    noise = kumaraswamy_noise(torch.cat([extremes, counter_uniform(torch.arange(100_000), 3)]), a)
    assert noise.min() > -0.5
    assert noise.max() < 0.5
    b = (2**a * (a - 1) + 1) / a
    shifted = noise[2:].double().numpy() + 0.5
    assert stats.kstest(shifted, lambda v: 1 - (1 - v**a) ** b).pvalue > 1e-4
    v = torch.linspace(0.005, 0.995, 199, dtype=torch.float64)
    density = a * b * v ** (a - 1) * (1 - v**a) ** (b - 1)
    assert a < 1.5 or v[density.argmax()].item() == pytest.approx(0.5, abs=0.006)


def test_kumaraswamy_noise_of_shape_one_is_uniform_and_the_uniform_input_is_left_alone():
    u = torch.rand(100)
    before = u.clone()
    assert torch.equal(kumaraswamy_noise(u, 1.0), u - 0.5)
    kumaraswamy_noise(u, 2.0)
    assert torch.equal(u, before)


@pytest.mark.parametrize("a", [0.99, 0.0, float("nan")])
def test_kumaraswamy_shapes_without_a_mode_are_refused(a):
    with pytest.raises(ValueError, match="at least 1"):
        kumaraswamy_noise(torch.rand(2), a)
