"""A wrapped module in training: bits, windows, noise, surrogates, gradients, fitting."""

import pytest
import torch
import torch.nn.functional as F

from nvrc_components.compressed_module import CompressedModule
from nvrc_components.quantizers import (
    AdditiveUniform,
    QuantNoise,
    SoftRoundKumaraswamy,
    StraightThrough,
)
from tests.components.helpers import DUAL, GRID, Picture, size, wrapped


def test_bits_are_those_of_the_streams():
    compressed = wrapped(lambda: Picture((20, 4, 24, 24)))
    compressed.fit_entropy_models(40)
    bits = {name: float(value.detach()) for name, value in compressed.eval().bits().items()}
    streams = compressed.compress()
    assert set(bits) == {"side", "grids", "all"}
    for name, stream in {"side": streams.side, **streams.groups}.items():
        assert abs(8 * len(stream) - bits[name]) <= 0.005 * bits[name] + 8 * 64, name
    assert abs(size(streams) - sum(bits.values()) / 8) <= 0.005 * size(streams) + 64


def test_fitting_entropy_models_lowers_bits_and_leaves_the_decoded_parameters_alone():
    compressed = wrapped().eval()
    before, values = size(compressed.compress()), compressed.quantized()
    compressed.fit_entropy_models(30)
    assert size(compressed.compress()) < 0.95 * before
    assert all(torch.equal(value, compressed.quantized()[name]) for name, value in values.items())
    assert all(parameter.grad is None for parameter in compressed.parameters())


def test_calibration_follows_parameters_that_have_grown():
    torch.manual_seed(0)
    compressed = CompressedModule(Picture(), DUAL).eval()
    before, size_before = compressed.quantized(), size(compressed.compress())
    with torch.no_grad():
        for parameter in compressed.module.parameters():
            parameter.mul_(16)
    assert size(compressed.compress()) > 1.2 * size_before
    compressed.calibrate()
    assert all(torch.equal(value, 16 * before[name]) for name, value in compressed.quantized().items())
    assert abs(size(compressed.compress()) - size_before) < 8


def test_fitting_never_adds_bits():
    compressed = wrapped().eval()
    compressed.fit_entropy_models(60)
    fitted = float(sum(compressed.bits().values()).detach())
    compressed.fit_entropy_models(3, rate=2.0)
    assert float(sum(compressed.bits().values()).detach()) <= fitted
    compressed.fit_entropy_models(0)
    assert float(sum(compressed.bits().values()).detach()) <= fitted


@pytest.mark.parametrize("surrogate", [StraightThrough(), AdditiveUniform(), SoftRoundKumaraswamy(), QuantNoise()])
def test_windows_give_slices_of_the_whole_with_the_same_noise(surrogate):
    compressed = wrapped(surrogate=surrogate, seed=5)
    step = compressed.step.clone()
    whole = compressed.quantized()
    weights = torch.randn_like(whole["grid"])
    for rows in (range(6), (2,), (3, 4, 5), (0,), (0, 5), [0, 2, 3, 5], (1, 4)):
        compressed.step.copy_(step)
        parts = compressed.quantized({"grid": rows, "mix.weight": (1, 6)})
        assert torch.equal(parts["grid"], whole["grid"][list(rows)])
        assert torch.equal(parts["mix.weight"], whole["mix.weight"][[1, 6]])
        assert torch.equal(parts["out.weight"], whole["out.weight"])
        outputs = (parts["grid"], whole["grid"][list(rows)])
        part, expected = (
            torch.autograd.grad((grid * weights[list(rows)]).sum(), compressed.module.grid, retain_graph=True)
            for grid in outputs
        )
        assert torch.equal(part[0], expected[0])


@pytest.mark.parametrize("rows", [(), (3, 2), (1, 1), (-1, 0), (0, 6)])
def test_rows_that_are_none_out_of_order_or_outside_are_refused(rows):
    with pytest.raises(ValueError, match="'grid' needs ascending rows from 0 to 5"):
        wrapped().quantized({"grid": rows})


def test_a_window_of_no_parameter_is_refused():
    with pytest.raises(ValueError, match="no parameter 'grids'"):
        wrapped().quantized({"grids": (0,)})


def test_noise_depends_on_seed_and_step_alone():
    def values(seed, calls):
        compressed = wrapped(surrogate=AdditiveUniform())
        compressed.seed = seed
        return [compressed.quantized()["grid"] for _ in range(calls)]

    first, second = values(1, 2)
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(values(1, 2), (first, second), strict=True))
    assert not torch.equal(values(2, 1)[0], first)


def test_noise_continues_from_a_state_dict():
    source, target = (wrapped(surrogate=SoftRoundKumaraswamy(), seed=s) for s in (0, 1))
    source.quantized()
    target.load_state_dict(source.state_dict())
    target.seed = source.seed
    after = target.quantized()
    assert all(torch.equal(value, after[name]) for name, value in source.quantized().items())


def test_the_module_runs_with_slices_alone():
    class Slices(Picture):
        def forward(self, count):
            assert self.grid.shape[0] == count
            return self.out(torch.relu(self.mix(self.grid)))

    compressed = wrapped(Slices).eval()
    whole = compressed(6)
    torch.testing.assert_close(compressed(2, windows={"grid": (3, 4)}), whole[3:5])
    torch.testing.assert_close(compressed(2, windows={"grid": (1, 5)}), whole[[1, 5]])
    assert torch.equal(compressed(count=6), whole)


def test_the_surrogate_can_be_swapped_and_evaluation_rounds():
    compressed = wrapped(surrogate=AdditiveUniform())
    noisy = compressed.quantized()["grid"]
    compressed.surrogate = StraightThrough()
    rounded = compressed.quantized()["grid"]
    assert not torch.equal(noisy, rounded)
    compressed.surrogate = AdditiveUniform()
    assert torch.equal(compressed.eval().quantized()["grid"], rounded)


def test_compiled_it_gives_the_same_frames_and_gradients():
    compressed = wrapped(surrogate=StraightThrough())
    frames = torch.tensor([0, 4])
    expected = compressed(frames)
    gradients = torch.autograd.grad(expected.square().sum(), list(compressed.module.parameters()))
    compressed.module.compile(backend="aot_eager")
    out = compressed(frames)
    torch.testing.assert_close(out, expected)
    again = torch.autograd.grad(out.square().sum(), list(compressed.module.parameters()))
    torch.testing.assert_close(again, gradients)


def test_training_lowers_the_loss_and_the_real_bytes():
    torch.manual_seed(0)
    compressed = CompressedModule(Picture((6, 3, 16, 16)), GRID, SoftRoundKumaraswamy())
    frames = torch.arange(6)
    ramp = torch.linspace(0, 1, 16)
    target = torch.stack([ramp[None, :, None] * (t + 1) / 6 + ramp * 0.3 for t in range(6)]).expand(6, 3, 16, 16)
    optimizer = torch.optim.Adam(compressed.parameters(), lr=0.02)
    compressed(frames)
    before, losses = size(compressed.compress()), []
    for _ in range(100):
        optimizer.zero_grad()
        rate = torch.stack(list(compressed.bits().values())).sum() / target.numel()
        loss = rate + 100 * F.mse_loss(compressed(frames), target)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert size(compressed.compress()) < 0.8 * before
    compressed.eval()
    assert F.mse_loss(compressed(frames), target) < 0.02


def test_gradients_of_rate_and_distortion_reach_every_trained_parameter():
    compressed = wrapped()
    (sum(compressed.bits().values()) + compressed(torch.arange(6)).square().sum()).backward()
    missing = [name for name, p in compressed.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing
    assert all(p.grad.isfinite().all() for p in compressed.parameters() if p.grad is not None)
