"""Where training starts from, and its steps under other precisions and compiled."""

import csv
import math
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior
from nvrc_components.groups import Group
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer
from nvrc_components.representations.patches import Region
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.modules.losses import RgbDistortion
from nvrc_lightning.modules.networks import HiNervNetwork, NvrcLiteNetwork
from nvrc_lightning.modules.video_codec import VideoCodec
from tests.lightning.helpers import checkpoint, differences, fit

FORMAT = VideoFormat(64, 48, 2, Fraction(25), 8, Chroma.YUV420, ColourMatrix.BT601, ColourRange.LIMITED)
GROUPS = (
    Group("grids", "*features.grid", BlockQuantizer, GaussianPrior),
    Group("biases", "*bias", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
)
ONE_STEP = ("--data.frames=0:1", "--data.patch=[24,32]", "--trainer.log_every_n_steps=1")
FP16_WITH_SCALER = (  # Lightning's fp16 is for CUDA; this is the same on a CPU
    "--trainer.plugins=lightning.pytorch.plugins.precision.MixedPrecision",
    "--trainer.plugins.precision=16-mixed",
    "--trainer.plugins.device=cpu",
    "--trainer.plugins.scaler=torch.amp.GradScaler",
    "--trainer.plugins.scaler.init_args.device=cpu",
    "--trainer.plugins.scaler.init_args.backoff_factor=1e-4",
)


def logged(run, name):
    with (run / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


@pytest.mark.slow
def test_a_compiled_network_trains_alike(tmp_path):
    plain = fit(tmp_path / "plain", *ONE_STEP)
    compiled = fit(tmp_path / "compiled", *ONE_STEP, "--model.compile_network=true")
    ours, theirs = (torch.tensor(logged(run, "loss")) for run in (compiled, plain))
    assert len(ours) == 8
    torch.testing.assert_close(ours, theirs, rtol=0.01, atol=0)
    assert ours[0].item() == pytest.approx(theirs[0].item(), rel=1e-5)
    sizes = [(run / "video.nvrc").stat().st_size for run in (compiled, plain)]  # each was decoded and compared
    assert abs(sizes[0] - sizes[1]) < 0.02 * sizes[1]


def test_only_training_steps_are_compiled(tmp_path, monkeypatch):
    calls = []

    def compiled(function):
        def call(module, *args):
            calls.append(module.training)
            return function(module, *args)

        return call

    monkeypatch.setattr("nvrc_lightning.modules.video_codec.torch.compile", compiled)
    fit(tmp_path, *ONE_STEP, "--model.compile_network=true", "--trainer.check_val_every_n_epoch=1")
    assert calls == [True] * 8


def both_ways(codec, dtype):
    """Rate and quantised parameters, with autocast and without it, under the same noise."""
    step = int(codec.compressed.step)
    for enabled in (True, False):
        codec.compressed.step.fill_(step)
        with torch.autocast("cpu", dtype, enabled=enabled):
            yield {"rate": codec.bits_per_pixel(), **codec.compressed.quantized()}
    codec.compressed.step.fill_(step)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_autocast_leaves_rate_and_quantisation_in_full_precision(precision, tmp_path, monkeypatch, capsys):
    pairs = []
    original = VideoCodec.training_step

    def training_step(self, batch):
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        pairs.extend(tuple(both_ways(self, dtype)) for dtype in (torch.bfloat16, torch.float16))
        return original(self, batch)

    monkeypatch.setattr(VideoCodec, "training_step", training_step)
    fit(tmp_path, f"--trainer.precision={precision}", "--trainer.max_epochs=1")
    assert ("bf16-mixed" in capsys.readouterr().err) == (precision == "16-mixed")
    assert len(pairs) == 8
    for under, plain in pairs:
        assert differences(under, plain) == []
        assert {tensor.dtype for tensor in under.values()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_pictures_of_half_precision_are_those_of_full_nearly(dtype):
    network = HiNervNetwork(widths=(16, 8, 8, 4)).build(FORMAT)
    frames, region = torch.tensor([1, 0]), Region(32, 32, torch.tensor([0, 16]), torch.tensor([24, 0]))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        plain = network(frames, region)
        with torch.autocast("cpu", dtype):
            half = network(frames, region)
    torch.testing.assert_close(half.float(), plain, atol=0.1, rtol=0)
    assert not torch.equal(half.float(), plain)


@pytest.fixture
def first_steps():
    """Return a function that gives log2 of every parameter's steps before training with a lambda."""

    def of(lmbda, start_lmbda):
        codec = VideoCodec(NvrcLiteNetwork(size="xxs"), GROUPS, RgbDistortion(), lmbda, start_lmbda=start_lmbda)
        video = SimpleNamespace(format=FORMAT, rgb=lambda: torch.zeros(2, 3, 48, 64, dtype=torch.uint8))
        codec._trainer = SimpleNamespace(datamodule=SimpleNamespace(video=video, seed=0))
        torch.manual_seed(0)
        codec.configure_model()
        return [each.quantizer.log2_step().mean().item() for each in codec.compressed.tensor_codecs()]

    return of


@pytest.mark.parametrize(("lmbda", "octaves"), [(8.0, 0.0), (128.0, -2.0), (2.0, 1.0)])
def test_steps_start_as_fine_as_lambda_asks_for(first_steps, lmbda, octaves):
    steps, given = first_steps(lmbda, 8.0), first_steps(lmbda, 0.0)
    assert steps == pytest.approx([step + octaves for step in given], abs=1 / 64)


@pytest.mark.parametrize("lambdas", [(0.0, 8.0), (-1.0, 8.0), (math.inf, 0.0), (4.0, -8.0), (math.nan, 0.0)])
def test_lambdas_out_of_range_are_refused(lambdas):
    lmbda, start = lambdas
    with pytest.raises(ValueError, match="lmbda is"):
        VideoCodec(NvrcLiteNetwork(), GROUPS, RgbDistortion(), lmbda, start_lmbda=start)


def test_a_gradient_that_overflows_leaves_the_rate_steps_factor():
    codec = VideoCodec(NvrcLiteNetwork("xxs"), GROUPS, RgbDistortion())
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([weight])
    for gradient, factor in ((4.0, 0.25), (math.inf, 0.25), (math.nan, 0.25), (0.5, 1.0)):
        weight.grad = torch.tensor([gradient, 0.0])
        codec.configure_gradient_clipping(optimizer)
        assert codec.clip_factor == pytest.approx(factor)


@pytest.fixture
def train_recording_clipping(monkeypatch):
    """Trains with these words; returns scales and clip factors of all steps, the dtype of the first, and the run."""

    def train(folder, *words):
        steps, dtypes = [], []
        clip_gradients, take_step = VideoCodec.configure_gradient_clipping, VideoCodec.training_step

        def configure_gradient_clipping(self, optimizer, *args, **kwargs):
            clip_gradients(self, optimizer, *args, **kwargs)
            steps.append((self.trainer.scaler.get_scale() if self.trainer.scaler else 1.0, self.clip_factor))

        def training_step(self, batch):
            dtypes.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)
            return take_step(self, batch)

        with monkeypatch.context() as patch:
            patch.setattr(VideoCodec, "configure_gradient_clipping", configure_gradient_clipping)
            patch.setattr(VideoCodec, "training_step", training_step)
            run = fit(folder, *ONE_STEP, *words)
        return *zip(*steps, strict=True), dtypes[0], run

    return train


@pytest.mark.parametrize("muon", ["true", "false"])
def test_fp16_trains_though_some_steps_overflow(muon, tmp_path, train_recording_clipping):
    words = (*FP16_WITH_SCALER, "--trainer.plugins.scaler.init_args.init_scale=1e18", f"--model.muon={muon}")
    scales, factors, dtype, run = train_recording_clipping(tmp_path, *words)
    overflows = scales.index(scales[-1])
    assert dtype == torch.float16
    assert 0 < overflows < len(scales) - 1
    assert all(0 < factor < 1 for factor in factors[overflows:])
    assert all(tensor.isfinite().all() for tensor in checkpoint(run)["state_dict"].values())


@pytest.mark.parametrize("muon", ["true", "false"])
def test_fp16_is_clipped_as_full_precision_is(muon, tmp_path, train_recording_clipping):
    _, (plain, *_), full, _ = train_recording_clipping(tmp_path / "plain", f"--model.muon={muon}")
    words = (*FP16_WITH_SCALER, "--trainer.plugins.scaler.init_args.init_scale=1024", f"--model.muon={muon}")
    (scale, *_), (scaled, *_), half, _ = train_recording_clipping(tmp_path / "scaled", *words)
    assert (scale, full, half) == (1024, torch.float32, torch.float16)
    assert scaled == pytest.approx(plain, rel=0.02)
    assert plain < 1
