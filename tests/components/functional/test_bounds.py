import pytest
import torch
from compressai.ops import LowerBound

from nvrc_components.functional import lower_bound, upper_bound

MODES = ["identity_if_towards", "identity", "disconnected"]
# Gradient that reaches x below the bound of `lower_bound`, for upstream gradients -2 and 3.
REACHES = {"identity_if_towards": (-2, 0), "identity": (-2, 3), "disconnected": (0, 0)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("upstream", "which"), [(-2.0, 0), (3.0, 1)])
def test_lower_bound_under_every_mode_and_sign(mode, upstream, which):
    x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = lower_bound(x, 0.5, mode)
    y.backward(torch.full((3,), upstream))
    assert y.tolist() == [0.5, 0.5, 2.0]
    assert x.grad is not None
    assert x.grad.tolist() == [REACHES[mode][which], upstream, upstream]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("upstream", [-2.0, 3.0])
def test_upper_bound_mirrors_lower_bound(mode, upstream):
    x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    mirrored = x.detach().neg().requires_grad_()
    y, expected = upper_bound(x, 0.5, mode), lower_bound(mirrored, -0.5, mode)
    y.backward(torch.full((3,), upstream))
    expected.backward(torch.full((3,), -upstream))
    assert x.grad is not None
    assert mirrored.grad is not None
    assert torch.equal(y, -expected)
    assert torch.equal(x.grad, -mirrored.grad)


@pytest.mark.parametrize("bound", [lower_bound, upper_bound])
def test_values_are_the_same_without_gradients(bound):
    x = torch.tensor([-torch.inf, -1.0, -0.0, 0.5, torch.inf, torch.nan], requires_grad=True)
    expected = bound(x, 0.5).detach()
    with torch.no_grad():
        assert torch.equal(bound(x, 0.5).nan_to_num(7.0), expected.nan_to_num(7.0))
    with torch.inference_mode():
        assert torch.equal(bound(x, 0.5).nan_to_num(7.0), expected.nan_to_num(7.0))


def test_the_default_mode_is_compressais_lower_bound():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, generator=generator)
    upstream = torch.randn(1000, generator=generator)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    lower_bound(ours, 0.1).backward(upstream)
    LowerBound(0.1)(theirs).backward(upstream)
    assert ours.grad is not None
    assert torch.equal(lower_bound(x, 0.1), LowerBound(0.1)(x))
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize("function", [lower_bound, upper_bound])
def test_unknown_modes_are_refused(function):
    with pytest.raises(ValueError, match="identity_if_towards, identity, disconnected"):
        function(torch.zeros(1), 0.0, "straight")
