"""Operations and speed of a distortion step of NVRC's S2 at 1080p: 144 patches of 120x120, as many pixels as a frame.

python benchmarks/s2_step.py --out docs/results/s2_step.md

On a CPU, where 144 patches take minutes and tens of gigabytes, a step of `--patches` is timed on one thread, and the
step of 144 is as many times that. On an NVIDIA GPU, where one is at hand, the step of 144 is timed in float32, with
bf16 autocast, and compiled as well. The frame is noise: time does not depend on it. GMAC are those carried out,
surroundings of patches included, three times those of rendering; a whole frame takes 341.1 to render. The NVRC paper
(arXiv 2409.07414) trains 6.4 steps a second on an RTX 4090 with fp16.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from training_steps import Batch, Trainee, cpu_seconds, gpu_seconds, patches, tiles, top_operators

from nvrc_components.representations.hinerv import hinerv_config
from nvrc_lightning.evaluation.provenance import Machine, git_commit
from nvrc_lightning.host_memory import keep_freed_memory

FRAMES, HEIGHT, WIDTH, SIDE = 600, 1080, 1920, 120
ALL = HEIGHT * WIDTH // SIDE**2


def batch(count: int, device: str) -> Batch:
    """Return so many patches, from all over a frame, as patches of frames all over the video."""
    generator = torch.Generator().manual_seed(0)
    tops, lefts = tiles(HEIGHT, WIDTH, SIDE)
    places = torch.randperm(ALL, generator=generator)[:count]
    frames = torch.randint(FRAMES, (count,), generator=generator)
    noise: Tensor = torch.rand(1, 3, HEIGHT, WIDTH, generator=generator).to(device)
    one = patches(torch.zeros_like(frames), tops[places], lefts[places], SIDE, noise)
    return Batch(frames.to(device), one.region, one.target)


def row(name: str, macs: float, seconds: float, memory: str) -> list[str]:
    """Return a line of the table; operations in units of 1e9."""
    return [name, f"{macs:,.0f}", f"{seconds:.3f}", f"{1 / seconds:.3f}", f"{2 * macs / seconds:,.0f}", memory]


def cpu_rows(count: int, repeats: int) -> Iterator[list[str]]:
    """Time a part of the batch on one thread of the CPU."""
    torch.set_num_threads(1)
    keep_freed_memory()
    part = batch(count, "cpu")
    for name, half in (("float32", False), ("bf16", True)):
        trainee = Trainee(hinerv_config("s2", FRAMES, HEIGHT, WIDTH), half=half)
        step = partial(trainee.distortion_step, part)
        macs = 3 * trainee.operations(part) / 1e9 * ALL / count
        seconds = cpu_seconds(step, repeats)[0] * ALL / count
        yield row(f"CPU, one thread, {name}, {ALL // count} times {count} patches", macs, seconds, "")


def gpu_rows(repeats: int) -> Iterator[list[str]]:
    """Time the batch on the first NVIDIA GPU, and print where the time goes."""
    whole, name = batch(ALL, "cuda"), torch.cuda.get_device_name()
    for variant, (half, compiled) in {
        "float32": (False, False),
        "bf16": (True, False),
        "bf16, compiled": (True, True),
    }.items():
        trainee = Trainee(hinerv_config("s2", FRAMES, HEIGHT, WIDTH), "cuda", half, compiled)
        step = partial(trainee.distortion_step, whole)
        macs = 3 * trainee.operations(whole) / 1e9
        step()
        torch.cuda.reset_peak_memory_stats()
        seconds = gpu_seconds(step, repeats)
        memory = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
        yield row(f"{name}, {variant}", macs, seconds, memory)
        print(variant, top_operators(step, 3, 12, "cuda"), flush=True)


def main() -> None:
    """Measure what is at hand and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patches", type=int, default=4, help="of a step on the CPU; a divisor of 144")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = list(cpu_rows(options.patches, options.repeats))
    device = "cpu"
    if torch.cuda.is_available():
        rows += gpu_rows(10 * options.repeats)
        device = "cuda"
    machine = Machine.describe(device)
    heads = ["where", "GMAC a step", "s a step", "steps/s", "GFLOP/s", "peak GPU GiB"]
    text = [
        "# A distortion step of S2 at 1080p",
        "",
        *("    " * part.startswith("python ") + part for part in (__doc__ or "").strip().splitlines()),
        "",
        f"{machine.cpu}; {machine.device}; torch {torch.__version__}; commit {(git_commit() or 'unknown')[:12]}.",
        "",
        *("| " + " | ".join(line) + " |" for line in (heads, ["---"] * len(heads), *rows)),
        "",
    ]
    options.out.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
