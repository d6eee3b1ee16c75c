"""Training steps under other precisions, and compiled."""

import csv
from fractions import Fraction

import pytest
import torch

from nvrc_components.representations.patches import Region
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.modules.networks import HiNervNetwork
from nvrc_lightning.modules.video_codec import VideoCodec
from tests.lightning.helpers import differences, fit

FORMAT = VideoFormat(64, 48, 2, Fraction(25), 8, Chroma.YUV420, ColourMatrix.BT601, ColourRange.LIMITED)
ONE_STEP = ("--data.frames=0:1", "--data.patch=[24,32]", "--trainer.log_every_n_steps=1")


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
def test_autocast_leaves_rate_and_quantisation_in_full_precision(precision, tmp_path, monkeypatch, recwarn):
    pairs = []
    original = VideoCodec.training_step

    def training_step(self, batch):
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        pairs.extend(tuple(both_ways(self, dtype)) for dtype in (torch.bfloat16, torch.float16))
        return original(self, batch)

    monkeypatch.setattr(VideoCodec, "training_step", training_step)
    fit(tmp_path, f"--trainer.precision={precision}", "--trainer.max_epochs=1")
    assert any("bf16-mixed" in str(warning.message) for warning in recwarn) == (precision == "16-mixed")
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
