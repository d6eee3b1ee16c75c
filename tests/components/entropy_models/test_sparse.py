import numpy as np
import pytest
import torch

from nvrc_components.coding.range_coder import LIMIT
from nvrc_components.entropy_models import ENTROPY_MODELS, DualAxisGaussian, ZeroInflatedGaussian
from nvrc_components.fitting import Coded, fit
from nvrc_components.side import sides_of
from tests.components.entropy_models.helpers import ZERO, decoded, encoded, randomised

SHAPES = [(130, 200), (5, 300), (300,), (3, 4, 2), (), (0, 5)]


def pruned(shape, share, scale=20.0, seed=0):
    """Integers of a normal distribution, a share of which are set to zero."""
    generator = torch.Generator().manual_seed(seed)
    symbols = (torch.randn(shape, generator=generator) * scale).round()
    return symbols * (torch.rand(shape, generator=generator) >= share)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.15, 0.9, 1.0])
def test_symbols_round_trip_at_the_estimated_cost(shape, share):
    symbols = pruned(shape, share)
    model = ZeroInflatedGaussian(symbols)
    data = encoded(model, symbols)
    assert torch.equal(decoded(model, shape, data), symbols)
    bits = float(model.bits(symbols, ZERO).detach())
    assert abs(8 * len(data) - bits) <= 0.005 * bits + 8 * 64


@pytest.mark.parametrize("shape", SHAPES)
def test_symbols_round_trip_under_any_parameters(shape):
    symbols = pruned(shape, 0.3)
    model = randomised(ZeroInflatedGaussian(symbols), spread=1.5)
    assert torch.equal(decoded(model, shape, encoded(model, symbols)), symbols)


def test_small_and_large_values_of_both_signs_survive():
    symbols = torch.tensor([0.0, 1, -1, 2, -2, 0, 300, -300, (1 << 24) + 2, -(1 << 24) - 2, LIMIT, -LIMIT])
    model = ZeroInflatedGaussian(symbols)
    assert torch.equal(decoded(model, symbols.shape, encoded(model, symbols)), symbols)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15, 0.3, 0.4, 0.47, 0.6, 0.85, 0.98])
def test_flags_cost_their_entropy(share):
    symbols = pruned((400, 500), share)
    model = ZeroInflatedGaussian(symbols)
    zeros = symbols == 0
    p = float(zeros.float().mean())
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) * zeros.numel()
    flags = float(model.zero.bits(zeros.float(), ZERO).detach())
    assert 0.9999 * entropy <= flags <= 1.01 * entropy


def test_pruned_tensors_cost_less_than_under_a_gaussian():
    symbols = pruned((200, 300), 0.15, scale=32.0)
    models = ZeroInflatedGaussian(symbols), DualAxisGaussian(symbols)
    for model in models:
        fit([Coded(model, symbols, ZERO)], 60, 0.03)
    ours, plain = (len(encoded(model, symbols)) for model in models)
    assert ours < 0.97 * plain


def test_no_mass_is_left_for_zero_among_the_values():
    """The bits come near the entropy of a normal distribution without its most frequent value."""
    symbols = pruned((2000,), 0.0, scale=2.0)
    symbols = symbols[symbols != 0]
    model = ZeroInflatedGaussian(symbols)
    fit([Coded(model, symbols, ZERO)], 100, 0.03)
    _, counts = symbols.unique(return_counts=True)
    entropy = float(-(counts * (counts / counts.sum()).log2()).sum())
    assert float(model.bits(symbols, ZERO).detach()) < 1.03 * entropy


def test_gradients_reach_every_parameter_and_the_symbols_that_are_kept():
    symbols = pruned((130, 200), 0.15).requires_grad_()
    model = randomised(ZeroInflatedGaussian(symbols), spread=1.5)
    model.bits(symbols, ZERO).backward()
    assert ((symbols.grad == 0) == (symbols == 0)).float().mean() > 0.99
    for side in sides_of([model]):
        assert side.value.grad.isfinite().all()
        assert side.value.grad.abs().sum() > 0


def test_the_configuration_rebuilds_the_model():
    model = ZeroInflatedGaussian(torch.ones(130, 200))
    rebuilt = ENTROPY_MODELS[5].from_configuration(torch.zeros(130, 200), model.configuration())
    assert type(rebuilt) is ZeroInflatedGaussian
    with pytest.raises(ValueError, match="ZeroInflatedGaussian"):
        ZeroInflatedGaussian.from_configuration(torch.zeros(3), (1,))
