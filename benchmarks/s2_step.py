"""Operations and speed of a distortion step of NVRC's S2 at 1080p: 144 patches of 120x120, as many pixels as a frame.

python benchmarks/s2_step.py --out docs/results/s2_step.md

On a CPU, where 144 patches take minutes and tens of gigabytes, a step of `--patches` is timed on one thread, and the
step of 144 is as many times that. On an NVIDIA GPU, where one is at hand, the step of 144 is timed in float32, with
bf16 autocast, and compiled as well, each step on other patches, as training draws them. The frame is noise: time does
not depend on it. GMAC are those carried out, surroundings of patches included, three times those of rendering; a whole
frame takes 341.1 to render. The NVRC paper (arXiv 2409.07414) trains 6.4 steps a second on an RTX 4090 with fp16.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from torch import Tensor
from training_steps import Batch, Trainee, cpu_seconds, gpu_seconds, patches, table, tiles, top_operators

from nvrc_components.representations.hinerv import hinerv_config
from nvrc_lightning.evaluation.provenance import Machine, git_commit
from nvrc_lightning.host_memory import keep_freed_memory

FRAMES, HEIGHT, WIDTH, SIDE = 600, 1080, 1920, 120
ALL = HEIGHT * WIDTH // SIDE**2
BATCHES = 4
"""Steps take one of them after the other."""
SHOWN = 12
"""Operators in the table."""


class Timing(NamedTuple):
    """A way to take the step: its line of the table, and the operators that take most of its time."""

    line: list[str]
    shares: list[tuple[str, float]]


def batch(count: int, device: str, seed: int) -> Batch:
    """Return so many patches, from all over a frame, as patches of frames all over the video."""
    generator = torch.Generator().manual_seed(seed)
    tops, lefts = tiles(HEIGHT, WIDTH, SIDE)
    places = torch.randperm(ALL, generator=generator)[:count]
    frames = torch.randint(FRAMES, (count,), generator=generator)
    noise: Tensor = torch.rand(1, 3, HEIGHT, WIDTH, generator=generator).to(device)
    one = patches(torch.zeros_like(frames), tops[places], lefts[places], SIDE, noise)
    return Batch(frames.to(device), one.region, one.target)


def row(name: str, macs: float, seconds: float, memory: str) -> list[str]:
    """Return a line of the table; operations in units of 1e9."""
    return [name, f"{macs:,.0f}", f"{seconds:.3f}", f"{1 / seconds:.3f}", f"{2 * macs / seconds:,.0f}", memory]


def steps(trainee: Trainee, batches: Sequence[Batch]) -> Callable[[], None]:
    """Return what takes a step on the next of these batches, over and over."""
    source = cycle(batches)
    return lambda: trainee.distortion_step(next(source))


def cpu_timings(count: int, repeats: int) -> Iterator[Timing]:
    """Time a part of the batch on one thread of the CPU."""
    torch.set_num_threads(1)
    keep_freed_memory()
    parts = [batch(count, "cpu", seed) for seed in range(BATCHES)]
    for name, half in (("float32", False), ("bf16", True)):
        trainee = Trainee(hinerv_config("s2", FRAMES, HEIGHT, WIDTH), half=half)
        step = steps(trainee, parts)
        macs = 3 * mean(map(trainee.operations, parts)) / 1e9 * ALL / count
        seconds = cpu_seconds(step, repeats)[0] * ALL / count
        line = row(f"CPU, one thread, {name}, {ALL // count} times {count} patches", macs, seconds, "")
        yield Timing(line, top_operators(step, 1, SHOWN))


def gpu_timings(repeats: int) -> Iterator[Timing]:
    """Time the batch on the first NVIDIA GPU."""
    batches, name = [batch(ALL, "cuda", seed) for seed in range(BATCHES)], torch.cuda.get_device_name()
    for variant, (half, compiled) in {
        "float32": (False, False),
        "bf16": (True, False),
        "bf16, compiled": (True, True),
    }.items():
        trainee = Trainee(hinerv_config("s2", FRAMES, HEIGHT, WIDTH), "cuda", half, compiled)
        step = steps(trainee, batches)
        macs = 3 * mean(map(trainee.operations, batches)) / 1e9
        for _ in batches:
            step()
        torch.cuda.reset_peak_memory_stats()
        seconds = gpu_seconds(step, repeats)
        memory = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
        shares = top_operators(step, 3, SHOWN, "cuda")
        yield Timing(row(f"{name}, {variant}", macs, seconds, memory), shares)


def main() -> None:
    """Measure what is at hand and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patches", type=int, default=4, help="of a step on the CPU; a divisor of 144")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    cuda, timings = torch.cuda.is_available(), []
    for timing in chain(
        cpu_timings(options.patches, options.repeats), gpu_timings(10 * options.repeats) if cuda else ()
    ):
        timings.append(timing)
        print(timing, flush=True)  # a run that is cut short has told what it knows
    machine = Machine.describe("cuda" if cuda else "cpu")
    heads = ["where", "GMAC a step", "s a step", "steps/s", "GFLOP/s", "peak GPU GiB"]
    ranks = [
        [f"{name}: {share:.1%}" for name, share in rank] for rank in zip(*(t.shares for t in timings), strict=True)
    ]
    text = [
        "# A distortion step of S2 at 1080p",
        "",
        *("    " * part.startswith("python ") + part for part in (__doc__ or "").strip().splitlines()),
        "",
        f"{machine.cpu}; {machine.device}; torch {torch.__version__}; commit {(git_commit() or 'unknown')[:12]}.",
        "",
        *table(heads, [timing.line for timing in timings]),
        "",
        "Operators that take most of the time by themselves, as parts of it:",
        "",
        *table([timing.line[0] for timing in timings], ranks),
        "",
    ]
    options.out.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
