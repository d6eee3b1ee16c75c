"""How near `nvrc encode` comes to a wanted size, and to a wanted time.

python benchmarks/targets.py size --videos a.mkv b.mkv c.mkv --targets 8kB 20kB --epochs 60 --out target_rate.md
python benchmarks/targets.py time --videos a.mkv b.mkv --targets 1m 3m --size 12kB --out target_time.md

Sizes are of the files as they lie on the disk; PSNR-RGB is of the frames decoded from them. Times are of the whole
program, from its start to its end; with a size as well, PSNR tells what a longer time is worth at the same rate.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from nvrc_components.bitstream.video_file import load
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.evaluation.metrics import ScoreMeter
from nvrc_lightning.evaluation.provenance import Machine, git_commit
from nvrc_lightning.quantities import parse_duration, parse_size

HEADS = {
    "size": ["clip", "target", "file, bytes", "under the target", "within 3 %, never over", "PSNR-RGB, dB", "s"],
    "time": ["clip", "target", "took, s", "off the target", "within 5 %", "file, bytes", "PSNR-RGB, dB"],
}


def encoded(video: Path, file: Path, *words: str) -> tuple[int, float, float]:
    """Encode by the program, and return the file's bytes, PSNR-RGB in dB, and the seconds it took.

    Raises:
        CalledProcessError: it failed.
    """
    start = time.monotonic()
    program = [sys.executable, "-m", "nvrc_lightning.cli", "encode", str(video), str(file), *words]
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    meter = ScoreMeter(read_video(video), ms_ssim=False)
    for frame in load(file).frames():
        meter.update(frame)
    return file.stat().st_size, meter.compute().psnr_rgb, seconds


def size_row(video: Path, target: str, file: Path, words: Sequence[str]) -> list[str]:
    """Encode to a size and return the line of the table."""
    size, psnr, seconds = encoded(video, file, "--target-size", target, *words)
    under = 1 - size / parse_size(target)
    verdict = "met" if 0 <= under <= 0.03 else "missed"
    return [video.name, target, f"{size:,}", f"{under:.2%}", verdict, f"{psnr:.2f}", f"{seconds:.0f}"]


def time_row(video: Path, target: str, file: Path, words: Sequence[str]) -> list[str]:
    """Encode in a time and return the line of the table."""
    size, psnr, seconds = encoded(video, file, "--target-time", target, *words)
    off = seconds / parse_duration(target) - 1
    verdict = "met" if abs(off) <= 0.05 else "missed"
    return [video.name, target, f"{seconds:.1f}", f"{off:+.1%}", verdict, f"{size:,}", f"{psnr:.2f}"]


def rows(options: argparse.Namespace, words: Sequence[str]) -> Iterator[list[str]]:
    """Every video with every target, told on the way."""
    row = {"size": size_row, "time": time_row}[options.what]
    with tempfile.TemporaryDirectory() as folder:
        for video in options.videos:
            for target in options.targets:
                line = row(video, target, Path(folder) / f"{video.stem}_{target}.nvrc", words)
                print(" | ".join(line), flush=True)
                yield line


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=HEADS)
    parser.add_argument("--videos", type=Path, nargs="+", required=True)
    parser.add_argument("--targets", nargs="+", required=True)
    parser.add_argument("--epochs", default="", help="of each run; for sizes")
    parser.add_argument("--size", default="", help="of the file; for times")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    words = [f"--epochs={options.epochs}"] if options.epochs else []
    words += [f"--target-size={options.size}"] if options.size else []
    table = list(rows(options, words))
    machine = Machine.describe()
    head = HEADS[options.what]
    clips = " ".join(video.name for video in options.videos)
    settings = " ".join(["--targets", *options.targets, *(word.replace("target-", "") for word in words)])
    text = [
        f"# A wanted {options.what}",
        "",
        f"    python benchmarks/targets.py {options.what} --videos {clips} {settings}",
        "",
        f"{machine.cores} cores, {machine.cpu}; torch {torch.__version__}, {machine.threads} threads; commit "
        f"{(git_commit() or 'unknown')[:12]}.",
        "",
        *("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *table]),
        "",
    ]
    options.out.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
