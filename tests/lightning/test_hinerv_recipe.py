"""HiNeRV's codec as its recipe has it: pruned, of a few bits, and what the file holds of that."""

from pathlib import Path

import pytest
import torch

from nvrc_components.bitstream.video_file import load
from nvrc_components.side import sides_of
from nvrc_lightning.cli import main
from nvrc_lightning.evaluation.result import Result
from tests.lightning.helpers import checkpoint

FEW_STEPS = Path(__file__).with_name("few_steps.yaml")  # 16 steps, of which the last three prune and quantise


def run_of(folder, *overlays):
    words = [f"--config={name}" for name in ("hinerv", "budget/short", *overlays, FEW_STEPS)]
    assert main(["fit", *words, f"--trainer.logger.save_dir={folder}"]) == 0
    return folder / "hinerv" / "version_0"


def symbols_of(compressed):
    parameters = dict(compressed.module.named_parameters())
    pairs = zip(compressed.names, compressed.tensor_codecs(), strict=True)
    return {name: (parameters[name] / codec.quantizer.step()).detach() for name, codec in pairs}


@pytest.mark.parametrize(("overlays", "bits"), [((), 6), (("bits/7",), 7), (("bits/8",), 8)])
def test_weights_are_pruned_and_of_the_bits_that_were_asked_for(tmp_path, overlays, bits):
    run = run_of(tmp_path, *overlays)
    result, compressed = Result.from_json(run / "result.json"), load(run / "video.nvrc").compressed
    assert abs(result.rate.file_bytes - result.rate.estimated_bytes) <= 0.005 * result.rate.file_bytes + 64
    symbols = symbols_of(compressed)
    pruned = sum(int((x == 0).sum()) for name, x in symbols.items() if name.endswith("weight"))
    assert pruned >= round(0.15 * sum(x.numel() for x in symbols.values()))
    peaks = torch.stack([x.abs().max() for name, x in symbols.items() if not name.endswith("bias")])
    assert peaks.min() > 0.8 * 2 ** (bits - 1)
    assert peaks.max() < 1.2 * 2 ** (bits - 1)


def test_nothing_of_the_codec_is_trained(tmp_path):
    run = run_of(tmp_path)
    moments = checkpoint(run)["optimizer_states"][0]
    codec = set(moments["param_groups"][-1]["params"])
    assert codec
    assert not codec & set(moments["state"])
    compressed = load(run / "video.nvrc").compressed
    assert not any(side.value.isnan().any() for side in sides_of([compressed]))
