"""Peak memory of decoding 4, 16 and 64 frames of 1080p: frames are written as they are decoded, so it does not grow.

python benchmarks/decode_memory.py --out docs/results/decode_memory.md

The network is NVRC's in a small size with random parameters, in a file of the greatest number of frames asked for, of
which the first ones are decoded. `nvrc decode` runs in a process of its own for each line, whose peak resident memory
the system tells. One more line loads the file and decodes a single frame: what later lines add is for more frames.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from fractions import Fraction
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
    save,
)
from nvrc_components.representations.hinerv import HiNerv, hinerv_config
from nvrc_lightning.evaluation.provenance import Machine, git_commit

GROUPS = (
    Group("grids", "*features.grid", BlockQuantizer, OctreeContext),
    Group("biases", "*bias", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
)


def write_file(path: Path, size: str, frames: int) -> int:
    """Write a file of random parameters and return how many there are."""
    torch.manual_seed(0)
    fmt = VideoFormat(1920, 1080, frames, Fraction(30), 8, Chroma.YUV420, ColourMatrix.BT709, ColourRange.LIMITED)
    network = HiNerv(hinerv_config(size, frames, fmt.height, fmt.width))
    save(CompressedModule(network, GROUPS).eval(), fmt, path)
    return sum(parameter.numel() for parameter in network.parameters())


def decode_memory(path: Path, output: Path, frames: int) -> tuple[float, float]:
    """Return the peak resident memory in MiB, and the CPU seconds, of a process that decodes the first frames.

    Raises:
        RuntimeError: the process fails.
    """
    words = [sys.executable, "-m", "nvrc_lightning.cli", "decode", path, output, "--frames", f"0:{frames}", "--force"]
    process = subprocess.Popen([str(word) for word in words])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"decoding {frames} frames to {output.name} failed")
    unit = 1 if platform.system() == "Darwin" else 2**10
    return usage.ru_maxrss * unit / 2**20, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure every number of frames and kind of output, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", default="w32", help="of NVRC's network")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--outputs", nargs="+", default=["out.y4m", "out.mkv"], help="files or folders to decode to")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.nvrc"
        parameters = write_file(path, options.size, max(options.frames))
        for output in options.outputs:
            for frames in options.frames:
                memory, seconds = decode_memory(path, Path(folder) / output, frames)
                rows.append(f"| {output} | {frames} | {memory:.0f} | {seconds / frames:.2f} |")
                print(rows[-1], flush=True)
    machine = Machine.describe()
    text = [
        "# Memory of decoding",
        "",
        *("    " * line.startswith("python ") + line for line in (__doc__ or "").strip().splitlines()),
        "",
        f"{machine.cores} cores, {machine.cpu}; torch {torch.__version__}; commit {(git_commit() or 'unknown')[:12]}.",
        f"Size {options.size}, {parameters:,} parameters, 1920x1080, {max(options.frames)} frames in the file.",
        "",
        "| output | frames | peak resident MiB | CPU s a frame, start included |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    options.out.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
