import pytest
import torch

from nvrc_components.functional import (
    round_straight_through,
    soft_round,
    soft_round_conditional_mean,
    soft_round_inverse,
)

TEMPERATURES = [1e-6, 1e-2, 0.2, 0.5, 1.0, 5.0, 1e6]
FUNCTIONS = [soft_round, soft_round_inverse, soft_round_conditional_mean]


def as_kind(temperature: float, kind: str) -> float | torch.Tensor:
    return temperature if kind == "float" else torch.tensor(temperature)


def off_the_edges() -> torch.Tensor:
    x = torch.linspace(-6, 6, 2001)
    return x[((x - x.round()).abs() - 0.25).abs() < 0.2]


def test_round_straight_through_rounds_half_to_even_with_unit_gradient():
    x = torch.tensor([-2.5, -0.5, 0.5, 1.5, 2.4], requires_grad=True)
    y = round_straight_through(x)
    y.backward(torch.tensor([1.0, -2.0, 3.0, 4.0, 5.0]))
    assert y.tolist() == [-2, 0, 0, 2, 2]
    assert x.grad is not None
    assert x.grad.tolist() == [1, -2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["float", "tensor"])
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_and_gradients_are_finite_at_integers_and_half_integers(function, temperature, kind):
    x = torch.cat([torch.arange(-8, 8) / 2, torch.tensor([1e4, -1e4, 0.3])]).requires_grad_()
    y = function(x, as_kind(temperature, kind))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all()
    assert gradient.isfinite().all()
    assert ((y - x).abs() <= 1).all()


@pytest.mark.parametrize("kind", ["float", "tensor"])
def test_soft_round_goes_to_the_identity_and_to_rounding(kind):
    x = off_the_edges()
    torch.testing.assert_close(soft_round(x, as_kind(1e6, kind)), x, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(soft_round(x, as_kind(1e-6, kind)), x.round())
    torch.testing.assert_close(soft_round_conditional_mean(x, as_kind(1e-6, kind)), x.round())
    torch.testing.assert_close(soft_round_inverse(x, as_kind(1e6, kind)), x, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.3, 0.5, 2.0])
def test_soft_round_is_the_published_formula_with_alpha_the_inverse_temperature(temperature):
    x, alpha = off_the_edges().double(), 1 / temperature
    midpoint = x.floor() + 0.5
    published = midpoint + torch.tanh(alpha * (x - midpoint)) / (2 * torch.tanh(torch.tensor(alpha / 2)))
    torch.testing.assert_close(soft_round(x, temperature), published, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.15, 0.3, 0.5, 2.0, 1e3])
def test_inverse_inverts(temperature):
    x = torch.linspace(-6, 6, 2001, dtype=torch.float64)
    torch.testing.assert_close(soft_round_inverse(soft_round(x, temperature), temperature), x)


@pytest.mark.parametrize("temperature", [0.1, 0.3, 1.0])
def test_conditional_mean_is_the_mean_of_the_inputs_that_noise_brings_to_a_value(temperature):
    x = torch.linspace(-4, 4, 400_001, dtype=torch.float64)
    rounded = soft_round(x, temperature)
    for value in (-0.4, 0.1, 0.75):
        inputs = x[(rounded - value).abs() < 0.5]
        expected = soft_round_conditional_mean(torch.tensor(value, dtype=torch.float64), temperature)
        assert inputs.mean().item() == pytest.approx(expected.item(), abs=1e-3)


@pytest.mark.parametrize("temperature", [0.2, 0.5, 3.0])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_match_finite_differences(function, temperature):
    x = torch.linspace(-2.8, 2.9, 17, dtype=torch.float64, requires_grad=True)
    tensor = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: function(v, temperature), (x,))
    assert torch.autograd.gradcheck(function, (x, tensor))


def test_float_and_tensor_temperatures_agree_and_the_input_is_left_alone():
    x = torch.linspace(-3, 3, 101, requires_grad=True)
    before = x.detach().clone()
    results = []
    for temperature in (0.35, torch.tensor(0.35)):
        y = soft_round(x, temperature)
        results.append((y.detach(), torch.autograd.grad(y.square().sum(), x)[0]))
    torch.testing.assert_close(results[0], results[1])
    assert torch.equal(x.detach(), before)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperatures_that_are_not_positive_are_refused(function, temperature):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        function(torch.zeros(1), temperature)
