"""Any module, wrapped in one call: round trips, windows, noise, training, and what goes wrong."""

import copy
import pickle
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nvrc_components.compressed_module import CompressedModule, Group, Streams
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.quantizers import (
    AdditiveUniform,
    BlockQuantizer,
    DualAxisQuantizer,
    QuantNoise,
    SoftRoundKumaraswamy,
    StraightThrough,
    TensorQuantizer,
)
from nvrc_components.side import sides_of


class Picture(nn.Module):
    """A grid and a layer on it: the smallest video representation."""

    def __init__(self, shape=(6, 3, 12, 10)):
        super().__init__()
        self.grid = nn.Parameter(torch.randn(shape) * 0.1)
        self.mix = nn.Conv2d(shape[1], 8, 1)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, frames):
        return self.out(torch.relu(self.mix(self.grid[frames])))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.embed(x))


DUAL = [Group("all", "*", DualAxisQuantizer, DualAxisGaussian)]
PLAIN = [Group("all", "*", TensorQuantizer, GaussianPrior)]
GRID = [
    Group("grids", "*grid", partial(BlockQuantizer, block=(4, 8, 8)), partial(OctreeContext, block=(4, 8, 8), width=2)),
    *DUAL,
]
CASES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(7, 200), nn.ReLU(), nn.Linear(200, 130)), lambda: torch.randn(3, 7)),
    "conv": (
        lambda: nn.Sequential(nn.Conv2d(3, 16, 3), nn.GELU(), nn.ConvTranspose2d(16, 4, 4)),
        lambda: torch.randn(1, 3, 9, 9),
    ),
    "transformer": (lambda: nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0), lambda: torch.randn(5, 2, 32)),
    "lstm": (lambda: nn.LSTM(5, 33), lambda: torch.randn(4, 2, 5)),
    "tied": (Tied, lambda: torch.randint(20, (2, 3))),
    "scalar": (lambda: nn.ParameterDict({"gain": nn.Parameter(torch.tensor(0.3))}), None),
    "half": (lambda: nn.Linear(40, 50).bfloat16(), lambda: torch.randn(2, 40).bfloat16()),
    "double": (lambda: nn.Linear(40, 50).double(), lambda: torch.randn(2, 40).double()),
}


def randomised(compressed, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for side in sides_of([compressed]):
        side.value.data.add_(torch.randn(side.value.shape, generator=generator) * 0.3)
    return compressed


def wrapped(make=Picture, groups=GRID, seed=0, **options):
    torch.manual_seed(seed)
    return randomised(CompressedModule(make(), groups, **options), seed)


def size(streams):
    return len(streams.side) + sum(len(stream) for stream in streams.groups.values())


@pytest.mark.parametrize("groups", [DUAL, PLAIN], ids=["dual", "plain"])
@pytest.mark.parametrize("name", CASES)
def test_any_module_round_trips_into_a_fresh_one(name, groups):
    make, inputs = CASES[name]
    encoder = wrapped(make, groups).eval()
    streams = encoder.compress()
    decoder = wrapped(make, groups, seed=1).eval()
    decoder.decompress(streams)
    quantised = encoder.quantized()
    decoded = dict(decoder.module.named_parameters())
    assert quantised.keys() == decoded.keys()
    assert all(torch.equal(value, decoded[key]) for key, value in quantised.items())
    assert all(torch.equal(value, decoder.quantized()[key]) for key, value in quantised.items())
    assert name == "half" or decoder.compress() == streams
    if inputs is not None:
        x = inputs()
        first, second, third = encoder(x), decoder(x), decoder.module(x)
        torch.testing.assert_close(second, first, rtol=0, atol=0)
        torch.testing.assert_close(third, first, rtol=1e-5, atol=1e-5)


def test_grids_with_context_round_trip_and_streams_go_by_group():
    encoder, decoder = wrapped().eval(), wrapped(seed=1).eval()
    streams = encoder.compress()
    assert list(streams.groups) == ["grids", "all"]
    decoder.decompress(streams)
    frames = torch.tensor([0, 5, 3])
    assert torch.equal(decoder.module(frames), encoder(frames))
    assert decoder.compress() == streams


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
    for window in ((0, 6), (2, 3), (3, 6), (0, 1)):
        compressed.step.copy_(step)
        parts = compressed.quantized({"grid": window})
        assert torch.equal(parts["grid"], whole["grid"][slice(*window)])
        assert torch.equal(parts["mix.weight"], whole["mix.weight"])


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
    torch.testing.assert_close(compressed(2, windows={"grid": (3, 5)}), whole[3:5])
    assert torch.equal(compressed(count=6), whole)


def test_the_surrogate_can_be_swapped_and_evaluation_rounds():
    compressed = wrapped(surrogate=AdditiveUniform())
    noisy = compressed.quantized()["grid"]
    compressed.surrogate = StraightThrough()
    rounded = compressed.quantized()["grid"]
    assert not torch.equal(noisy, rounded)
    compressed.surrogate = AdditiveUniform()
    assert torch.equal(compressed.eval().quantized()["grid"], rounded)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies_compress_to_the_same_bytes(clone):
    compressed = wrapped(surrogate=QuantNoise(0.25))
    compressed.quantized()
    other = clone(compressed)
    assert other.compress() == compressed.compress()
    assert torch.equal(other.quantized()["grid"], compressed.quantized()["grid"])
    fresh = wrapped(seed=3)
    fresh.load_state_dict(compressed.state_dict())
    assert fresh.compress() == compressed.compress()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_cast_of_the_whole_still_round_trips(dtype):
    encoder = wrapped().to(dtype).eval()
    decoder = wrapped(seed=1).to(dtype).eval()
    decoder.decompress(encoder.compress())
    decoded = dict(decoder.module.named_parameters())
    assert all(torch.equal(value, decoded[name]) for name, value in encoder.quantized().items())
    assert all(bits.isfinite() for bits in encoder.bits().values())


def test_autocast_changes_neither_bytes_nor_bits():
    compressed = wrapped().eval()
    streams, bits = compressed.compress(), compressed.bits()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert compressed.compress() == streams
        assert all(torch.equal(value, bits[name]) for name, value in compressed.bits().items())
        out = compressed(torch.tensor([0, 1]))
        out.float().sum().backward()
    assert out.dtype == torch.bfloat16
    assert compressed.module.grid.grad.isfinite().all()


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


def test_a_quantizer_without_side_information_is_allowed():
    class Eighths(TensorQuantizer):
        def __init__(self, tensor):
            nn.Module.__init__(self)

        def log2_step(self, window=slice(None)):
            return torch.tensor(-3.0)

        def step(self, window=slice(None)):
            return torch.tensor(0.125)

    compressed = wrapped(groups=[Group("all", "*", Eighths, GaussianPrior)]).eval()
    grid = compressed.quantized()["grid"]
    assert torch.equal(grid * 8, (grid * 8).round())


def test_wrong_groups_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"'mix\.weight' matches none of the group patterns \*grid; add a group '\*'"):
        CompressedModule(Picture(), GRID[:1])
    with pytest.raises(ValueError, match=r"names of their own.*; got all, all"):
        CompressedModule(Picture(), [*DUAL, *DUAL])
    with pytest.raises(ValueError, match="other than 'side'"):
        CompressedModule(Picture(), [Group("side", "*", TensorQuantizer, GaussianPrior)])
    with pytest.raises(ValueError, match="no parameters"):
        CompressedModule(nn.ReLU(), DUAL)
    with pytest.raises(ValueError, match="grids, not a tensor of shape"):
        CompressedModule(Picture(), [Group("all", "*", TensorQuantizer, OctreeContext)])


def test_patterns_are_tried_in_order():
    compressed = CompressedModule(Picture(), [Group("out", "out.*", TensorQuantizer, GaussianPrior), *DUAL])
    groups = dict(zip(compressed.names, (codec.group for codec in compressed.tensor_codecs()), strict=True))
    assert {name for name, group in groups.items() if group == "out"} == {"out.weight", "out.bias"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_diverged_parameters_are_named(value):
    compressed = wrapped()
    compressed.module.mix.weight.data[0, 0] = value
    with pytest.raises(InputError, match=r"'mix\.weight' .*training has diverged"):
        compressed.compress()


def test_diverged_bits_are_not_a_number_rather_than_a_crash():
    compressed = wrapped()
    compressed.module.grid.data[0, 0, 0, 0] = torch.nan
    assert compressed.bits()["grids"].isnan()


def test_streams_that_are_missing_or_too_many_or_cut_are_refused():
    compressed = wrapped()
    streams = compressed.compress()
    side, groups = streams.side, streams.groups
    cases = [
        (Streams(side, {"grids": groups["grids"]}), "groups grids, not"),
        (Streams(side, {**groups, "more": b"\0"}), "groups grids, all, more"),
        (Streams(side, {**groups, "all": b""}), "section 'group:all': truncated"),
        (Streams(side, {**groups, "all": groups["all"] + b"0123456789ab"}), "section 'group:all': holds more"),
        (Streams(b"", groups), "section 'side': truncated"),
        (Streams(side + b"0123456789ab", groups), "section 'side': holds more"),
        (Streams(bytes([side[0] + 1]) + side[1:2] * 2 + side[2:], groups), "section 'side': "),
    ]
    for broken, message in cases:
        with pytest.raises(BitstreamError, match=message):
            compressed.decompress(broken)
    compressed.decompress(streams)
