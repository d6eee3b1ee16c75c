"""Write the golden file and its hashes: `python -m tests.golden.make` from the repository's root.

Only for a new format version: files in the world keep their meaning, so a changed hash is a broken decoder.
"""

import hashlib
import json
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch

from nvrc_components import (
    BlockQuantizer,
    Chroma,
    ColourMatrix,
    ColourRange,
    CompressedModule,
    DualAxisGaussian,
    DualAxisQuantizer,
    GaussianPrior,
    Group,
    OctreeContext,
    TensorQuantizer,
    VideoFormat,
    load,
    save,
)
from nvrc_components.functional import counter_uniform
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.side import sides_of

FILE = Path(__file__).parent / "golden.nvrc"
HASHES = FILE.with_suffix(".json")
FORMAT = VideoFormat(45, 50, 9, Fraction(24), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)
GROUPS = (
    Group("grids", "*features.grid", partial(BlockQuantizer, block=(4, 8, 8)), partial(OctreeContext, width=3)),
    Group("local", "*.grid", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
)


def _noise(tensor: torch.Tensor, key: int) -> torch.Tensor:
    return counter_uniform(torch.arange(tensor.numel()), key).view(tensor.shape) * 2 - 1


@torch.no_grad()
def network() -> CompressedModule:
    """Return a network whose every number comes from the counter-based generator, with outliers here and there."""
    config = NvrcLiteConfig(FORMAT.frames, FORMAT.height, FORMAT.width, widths=(32, 4, 2, 2))
    compressed = CompressedModule(NvrcLite(config), GROUPS).eval()
    for key, side in enumerate(sides_of([compressed])):
        side.value.copy_(_noise(side.value, key).round(decimals=3))
        if side.value.requires_grad and side.value.numel() > 1:
            side.log2_step.fill_(-2 - key % 4)
    for key, (codec, parameter) in enumerate(
        zip(compressed.tensor_codecs(), compressed.module.parameters(), strict=True)
    ):
        noise = _noise(parameter, 1000 + key)
        parameter.copy_((noise**31 * 3 + noise**501 * 300).round() * codec.quantizer.step())
    return compressed


def hashes(compressed: CompressedModule) -> dict[str, str]:
    """Return SHA-256 of all symbols (int64, little-endian) and of all parameters (float32) in coding order."""
    symbols, values = hashlib.sha256(), hashlib.sha256()
    parameters = compressed.module.named_parameters()
    for codec, (name, parameter) in zip(compressed.tensor_codecs(), parameters, strict=True):
        integers = codec.rounded(name, parameter.detach()).long()
        symbols.update(integers.contiguous().numpy().astype("<i8").tobytes())
        values.update(parameter.detach().contiguous().numpy().astype("<f4").tobytes())
    return {"symbols": symbols.hexdigest(), "parameters": values.hexdigest()}


if __name__ == "__main__":
    made = network()
    size = save(made, FORMAT, FILE, force=True)
    file = hashlib.sha256(FILE.read_bytes()).hexdigest()
    HASHES.write_text(
        json.dumps({"bytes": size, "file": file, **hashes(load(FILE).compressed)}, indent=2) + "\n", encoding="utf-8"
    )
