"""NVRC's training steps and parameter coding beside the official code's, on the same clip, network and patches.

OMP_NUM_THREADS=1 python benchmarks/nvrc_side_by_side.py --video peer_bunny_480x288_32f.mkv --out nvrc_side_by_side.md

The network has channels 96, 48, 24, 12, a base grid of 16x12x20x2 and three coarser ones, and local grids from 4
channels on: 1.97 GMAC a frame of 480x288. Seconds are CPU time of one thread, medians with the least in brackets. A
step is all of one: quantising, rendering, loss, backward, clipping, Adam. GMAC are three times those of rendering.
The official code's figures were measured on the same kind of machine, some of them twice. Patches of one frame are
cut from the whole frame here, which is the same and less work; patches of any frames, as training draws them, are
each rendered with their surroundings. Coded grids and weights hold rounded Gaussians of deviation 2. The masked
convolutions that are chosen for grids of this size have no hidden units; the paper's have two layers of 8.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from training_steps import Batch, Trainee, cpu_seconds, patches, table, tiles, top_operators, whole

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models import EntropyModel, MaskedConv3dContext
from nvrc_components.representations.hinerv import HiNervConfig, hinerv_config
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.evaluation.provenance import Machine, git_commit
from nvrc_lightning.host_memory import keep_freed_memory

SIDE = 96
Item = tuple[EntropyModel, Tensor, Tensor]
"""An entropy model, the symbols that it codes, and log2 of their steps."""


class Line(NamedTuple):
    """A step that is timed.

    Attributes:
        name: what it is.
        official: the official code's CPU seconds, least and greatest; none if there are none.
        factor: how many times less than the greatest it is to take; 0 for no target.
        macs: multiply-accumulates of both passes, in units of 1e9.
        step: what is timed.
    """

    name: str
    official: tuple[float, ...]
    factor: float
    macs: float
    step: Callable[[], object]


def steps(trainee: Trainee, video: Tensor) -> list[Line]:
    """Return the training steps; patches are those of one frame, then as training draws them.

    Shape: `video` (T, 3, H, W) in [0, 1].
    """
    count, _, height, width = video.shape
    tops, lefts = tiles(height, width, SIDE)
    same = patches(torch.full_like(tops, count // 2), tops, lefts, SIDE, video)
    order = torch.randperm(count * len(tops), generator=torch.Generator().manual_seed(0))[: len(tops)]
    places = order % len(tops)
    drawn = patches(order // len(tops), tops[places], lefts[places], SIDE, video)
    batches: dict[str, tuple[Batch, tuple[float, ...]]] = {
        "distortion step, whole frame": (whole(count // 2, video), (0.88, 1.06)),
        f"distortion step, {len(tops)} patches of {SIDE}x{SIDE} of a frame": (same, (1.25, 1.25)),
        f"distortion step, {len(tops)} patches of {SIDE}x{SIDE} of any frames": (drawn, ()),
    }
    lines = [
        Line(name, official, 3, 3 * trainee.operations(batch) / 1e9, partial(trainee.distortion_step, batch))
        for name, (batch, official) in batches.items()
    ]
    return [*lines, Line("rate step", (0.42, 0.50), 0, 0.0, trainee.rate_step)]


def step_rows(lines: Sequence[Line], repeats: int) -> Iterator[list[str]]:
    """Time steps and yield their rows of the table."""
    for line in lines:
        median, least = cpu_seconds(line.step, repeats)
        official = " to ".join(f"{value:.2f}" for value in sorted(set(line.official)))
        ratio = " to ".join(f"{value / median:.1f}" for value in sorted(set(line.official)))
        target = ""
        if line.factor and line.official:
            most = max(line.official) / line.factor
            target = f"at most {most:.2f}: {'met' if median <= most else 'missed'}"
        work = [f"{line.macs:.2f}", f"{2 * line.macs / median:.0f}"] if line.macs else ["", ""]
        yield [line.name, f"{median:.3f} ({least:.3f})", official, ratio, target, *work]


def encoded(items: Sequence[Item]) -> bytes:
    """Return the stream of a group's symbols."""
    encoder = SymbolEncoder()
    for model, symbols, log2_step in items:
        model.encode(symbols, log2_step, encoder)
    return encoder.to_bytes()


def decoded(items: Sequence[Item], stream: bytes) -> list[Tensor]:
    """Return the symbols of the stream."""
    decoder = SymbolDecoder(stream, "symbols")
    return [model.decode(symbols.shape, log2_step, decoder) for model, symbols, log2_step in items]


class Coded(NamedTuple):
    """A group of tensors that is coded, and timed.

    Attributes:
        name: what it is.
        items: its tensors.
        official: symbols a second of the official code, encoded and decoded, in words.
        targets: symbols a second that are wanted; 0 for none.
    """

    name: str
    items: list[Item]
    official: tuple[str, str]
    targets: tuple[float, float] = (0, 0)


def coded_groups(trainee: Trainee) -> list[Coded]:
    """Return what is coded and by which models: a thousand times the official code's speed is wanted of the grids."""
    official, targets = ("220", "159"), (220_000, 159_000)
    chosen, widest = (Coded(f"grids, {width}", [], official, targets) for width in ("chosen width", "width 8"))
    weights = Coded("weights", [], ("2.2 M", "1.4 M"))
    for tensor, codec in zip(trainee.network.parameters(), trainee.model.tensor_codecs(), strict=True):
        symbols, log2_step = torch.randn(tensor.shape).mul(2).round(), codec.quantizer.log2_step()
        if codec.group == "grids":
            chosen.items.append((codec.entropy_model, symbols, log2_step))
            widest.items.append((MaskedConv3dContext(tensor, width=8), symbols, log2_step))
        if codec.group == "weights":
            weights.items.append((codec.entropy_model, symbols, log2_step))
    return [chosen, widest, weights]


@torch.no_grad()
def coding_rows(trainee: Trainee, repeats: int) -> Iterator[list[str]]:
    """Time the coding of the grids and of the weights, check it, and yield the rows of the table.

    Raises:
        AssertionError: decoded symbols differ from those encoded.
    """
    for name, items, official, targets in coded_groups(trainee):
        count, stream = sum(symbols.numel() for _, symbols, _ in items), encoded(items)
        if not all(torch.equal(result, item[1]) for result, item in zip(decoded(items, stream), items, strict=True)):
            raise AssertionError(f"{name}: decoded symbols differ from those encoded")
        calls = {"encode": partial(encoded, items), "decode": partial(decoded, items, stream)}
        for (what, call), theirs, wanted in zip(calls.items(), official, targets, strict=True):
            median, least = cpu_seconds(call, repeats)
            target = f"at least {wanted:,}: {'met' if count / median >= wanted else 'missed'}" if wanted else ""
            seconds = f"{median:.3f} ({least:.3f})"
            yield [f"{name}, {what}", f"{count:,}", seconds, f"{count / median:,.0f}", theirs, target]


def training_rows(
    config: HiNervConfig, lines: Sequence[Line], pixels: Tensor, repeats: int, compiled: bool
) -> list[list[str]]:
    """Time the steps, then the distortion steps again in half precision and, if asked for, compiled.

    Shape: `pixels` (T, 3, H, W) in [0, 1].
    """
    rows = list(step_rows(lines, repeats))
    variants = {"bf16": Trainee(config, half=True)}
    if compiled:
        variants["compiled"] = Trainee(config, compiled=True)
    for name, variant in variants.items():
        chosen = [line._replace(name=f"{line.name}, {name}", official=()) for line in steps(variant, pixels)[:3]]
        rows += step_rows(chosen, repeats)
    return rows


def share_rows(lines: Sequence[Line]) -> list[list[str]]:
    """Return where the time of a whole frame's step goes, and that of patches of any frames."""
    shares = [top_operators(line.step, 4, 10) for line in (lines[0], lines[2])]
    return [[a, f"{x:.1%}", b, f"{y:.1%}"] for (a, x), (b, y) in zip(*shares, strict=True)]


def report(sections: Mapping[str, Sequence[str]]) -> str:
    """Return the text with a table in each section."""
    machine = Machine.describe()
    text = [
        "# NVRC's training steps and parameter coding, beside the official code's",
        "",
        *("    " * part.startswith(("python ", "OMP_")) + part for part in (__doc__ or "").strip().splitlines()),
        "",
        f"{machine.cpu}; torch {torch.__version__}; commit {(git_commit() or 'unknown')[:12]}.",
    ]
    for title, lines in sections.items():
        text += ["", f"## {title}", "", *lines]
    return "\n".join([*text, ""])


def measure(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return a table for each section of the report."""
    video = read_video(options.video)
    fmt = video.format
    config = replace(hinerv_config("w96", fmt.frames, fmt.height, fmt.width), grid_slices=16)
    pixels = video.rgb().float() / fmt.peak
    trainee = Trainee(config)
    lines = steps(trainee, pixels)
    rows = training_rows(config, lines, pixels, options.repeats, options.compiled)
    heads = ["what", "CPU s", "official", "times less", "target", "GMAC", "GFLOP/s"]
    coding = table(
        ["what", "symbols", "CPU s", "symbols/s", "official", "target"], list(coding_rows(trainee, options.repeats))
    )
    shares = table(["whole frame", "share", "patches of any frames", "share"], share_rows(lines))
    titles = "Training", "Parameter coding", "Where a distortion step's time goes"
    return dict(zip(titles, (table(heads, rows), coding, shares), strict=True))


def main() -> None:
    """Measure everything and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--compiled", action="store_true", help="compiled steps as well; minutes more")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    text = report(measure(options))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
