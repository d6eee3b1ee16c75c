"""Rate-distortion of a recipe: one fit for each lambda, every figure of the written file and its decoded frames.

python benchmarks/rate_distortion.py --video small_bunny_480x272_64f.mkv --lambdas 2 8 32 128 --epochs 50 --out rd.csv

Any other option is one of `nvrc fit`, such as --config=budget/short or --model.network.size=xs. The distortion is that
of RGB recipes, whatever the recipe.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from nvrc_components import load
from nvrc_lightning.data.options import Selection
from nvrc_lightning.data.packaged import read_named_video
from nvrc_lightning.data.video import Video
from nvrc_lightning.encode import encode
from nvrc_lightning.evaluation.result import Result
from nvrc_lightning.host_memory import keep_freed_memory
from nvrc_lightning.modules.losses import RgbDistortion


def distortion_of(file: Path, video: Video) -> float:
    """Return what training minimises with the rate, of the decoded frames; the mean over frames, of RGB."""
    decoded, distortion, source = load(file), RgbDistortion(), video.rgb()
    count, peak = decoded.format.frames, decoded.format.peak
    pairs = zip(decoded.frames(), source.split(1), strict=True)
    values = [
        float(distortion(frame / peak, target / peak)) for frame, target in pairs if isinstance(frame, torch.Tensor)
    ]
    return sum(values) / count


def row(result: Result, recipe: str, lmbda: float, epochs: int, distortion: float) -> dict[str, Any]:
    """Return one line of the table."""
    rate, scores, cost = result.rate, result.scores, result.cost
    return {
        "clip": result.video,
        "frames": scores.frames,
        "recipe": recipe,
        "lambda": f"{lmbda:g}",
        "epochs": epochs,
        "bytes": rate.file_bytes,
        "bpp": f"{rate.bpp:.5f}",
        "estimate_bytes": f"{rate.estimated_bytes or 0:.0f}",
        "psnr_rgb": f"{scores.psnr_rgb:.3f}",
        "psnr_yuv611": f"{scores.psnr_yuv611:.3f}",
        "ms_ssim": f"{scores.ms_ssim_rgb:.5f}",
        "distortion": f"{distortion:.6f}",
        "encode_s": f"{cost.total_encode_seconds:.0f}",
        "decode_fps": f"{cost.decode_fps:.1f}",
        "peak_mib": f"{cost.peak_memory_mib or 0:.0f}",
        "parameters": cost.parameters,
        "macs_per_pixel": f"{cost.macs_per_pixel or 0:.0f}",
        "seed": result.run.seed,
        "cpu": result.run.machine.cpu,
        "threads": result.run.machine.threads,
        "torch": result.run.versions.get("torch", ""),
        "commit": (result.run.commit or "")[:12],
    }


def write_table(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write every line as soon as it is there, so that a killed sweep keeps what it has."""
    with path.open("w", newline="") as table:
        writer: csv.DictWriter[str] | None = None
        for line in lines:
            if writer is None:
                writer = csv.DictWriter(table, fieldnames=list(line))
                writer.writeheader()
            writer.writerow(line)
            table.flush()


def points(options: argparse.Namespace, more: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the table's line of each lambda."""
    video = read_named_video(options.video, Selection.parse(options.frames))
    with tempfile.TemporaryDirectory() as folder:
        for lmbda in options.lambdas:
            file = Path(folder) / f"{lmbda:g}.nvrc"
            result = encode(
                options.video,
                file,
                recipe=options.recipe,
                lmbda=lmbda,
                epochs=options.epochs,
                frames=options.frames,
                options=tuple(more),
            )
            yield row(result, options.recipe, lmbda, options.epochs, distortion_of(file, video))


def main() -> None:
    """Fit, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", required=True)
    parser.add_argument("--recipe", default="nvrc_lite")
    parser.add_argument("--lambdas", type=float, nargs="+", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--frames", default=":", help="start:stop")
    parser.add_argument("--out", type=Path, required=True)
    options, more = parser.parse_known_args()
    if any(word.startswith("--data.frames") for word in more):
        parser.error("frames are chosen with --frames, which the distortion is measured on")
    keep_freed_memory()
    write_table(options.out, points(options, more))


if __name__ == "__main__":
    main()
