"""Any module, wrapped in one call: round trips, copies, precisions, and what goes wrong."""

import copy
import pickle
import threading

import pytest
import torch
from torch import nn

from nvrc_components.compressed_module import CompressedModule, Group, Streams
from nvrc_components.entropy_models import GaussianPrior, OctreeContext
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.quantizers import (
    QuantNoise,
    TensorQuantizer,
)
from tests.components.helpers import DUAL, GRID, PLAIN, Picture, wrapped


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.embed(x))


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


def test_quantising_alone_counts_no_bits(monkeypatch):
    """A distortion step would pay for them and throw them away."""
    model = wrapped(CASES["mlp"][0], DUAL)
    monkeypatch.setattr("nvrc_components.side._bits", lambda *_: pytest.fail("bits were counted"))
    model.quantized()


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


def test_copies_leave_alone_what_builds_quantizers_holds_on_to():
    class Builder:
        def __init__(self):
            self.lock = threading.Lock()  # which cannot be copied

        def __call__(self, tensor):
            return TensorQuantizer(tensor)

    compressed = CompressedModule(nn.Linear(3, 2), [Group("all", "*", Builder(), GaussianPrior)])
    assert copy.deepcopy(compressed).compress() == compressed.compress()


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
