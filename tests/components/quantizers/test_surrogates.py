import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.functional import counter_uniform, kumaraswamy_noise, soft_round
from nvrc_components.quantizers.surrogates import (
    AdditiveUniform,
    QuantNoise,
    SoftRoundKumaraswamy,
    StraightThrough,
    Surrogate,
)

ALL = [StraightThrough(), AdditiveUniform(), SoftRoundKumaraswamy(), QuantNoise()]


def inputs(count: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    symbols = torch.linspace(-7.3, 7.9, count, requires_grad=True)
    return symbols, counter_uniform(torch.arange(count), 4)


@pytest.mark.parametrize("surrogate", ALL, ids=lambda s: type(s).__name__)
def test_every_surrogate_stays_near_its_input_with_finite_gradients_and_is_the_same_on_a_slice(surrogate):
    symbols, uniform = inputs()
    out = surrogate(symbols, uniform)
    (gradient,) = torch.autograd.grad(out.sum(), symbols)
    assert isinstance(surrogate, Surrogate)
    assert out.shape == symbols.shape
    assert gradient.isfinite().all()
    assert (out - symbols).abs().max() <= 1
    assert torch.equal(surrogate(symbols[100:200], uniform[100:200]), out[100:200])


@pytest.mark.parametrize("surrogate", ALL, ids=lambda s: type(s).__name__)
def test_needs_noise_tells_whether_the_noise_is_read(surrogate):
    symbols, uniform = inputs()
    changed = not torch.equal(surrogate(symbols, uniform), surrogate(symbols, 1 - uniform))
    assert changed == surrogate.needs_noise


def test_straight_through_rounds():
    symbols, uniform = inputs()
    out = StraightThrough()(symbols, uniform)
    assert torch.equal(out, symbols.round())
    assert torch.autograd.grad(out.sum(), symbols)[0].unique().tolist() == [1]


def test_additive_uniform_has_the_variance_of_rounding():
    symbols, uniform = inputs(100_000)
    error = AdditiveUniform()(symbols, uniform) - symbols
    assert error.var().item() == pytest.approx(1 / 12, rel=0.02)
    assert error.abs().max() <= 0.5 + 1e-6


def test_soft_round_kumaraswamy_rounds_adds_noise_and_rounds_and_follows_its_attributes():
    symbols, uniform = inputs()
    surrogate = SoftRoundKumaraswamy()
    surrogate.temperature, surrogate.shape = 0.3, 1.25
    expected = soft_round(soft_round(symbols, 0.3) + kumaraswamy_noise(uniform, 1.25), 0.3)
    assert torch.equal(surrogate(symbols, uniform), expected)
    assert repr(surrogate) == "SoftRoundKumaraswamy(temperature=0.3, shape=1.25)"


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_quant_noise_rounds_the_given_share_without_gradient(ratio):
    symbols, uniform = inputs(100_000)
    surrogate = QuantNoise()
    surrogate.ratio = ratio
    out = surrogate(symbols, uniform)
    (gradient,) = torch.autograd.grad(out.sum(), symbols)
    chosen = uniform < ratio
    assert chosen.float().mean().item() == pytest.approx(ratio, abs=0.01)
    assert torch.equal(out, torch.where(chosen, symbols.round(), symbols))
    assert torch.equal(gradient, (~chosen).float())


@pytest.mark.parametrize(
    ("make", "name", "value", "message"),
    [
        (SoftRoundKumaraswamy, "temperature", 0, "temperature must be above 0, got 0"),
        (SoftRoundKumaraswamy, "shape", 0.5, "at least 1, got 0.5"),
        (QuantNoise, "ratio", 1.5, "from 0 to 1, got 1.5"),
        (QuantNoise, "ratio", float("nan"), "from 0 to 1, got nan"),
    ],
)
def test_attributes_out_of_range_are_refused_and_the_old_value_stays(make, name, value, message):
    surrogate = make()
    before = getattr(surrogate, name)
    with pytest.raises(InputError, match=message):
        setattr(surrogate, name, value)
    assert getattr(surrogate, name) == before
    with pytest.raises(InputError, match=message):
        make(**{name: value})
