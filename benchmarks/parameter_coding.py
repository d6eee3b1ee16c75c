"""Seconds to decode all parameters of a large network from its file: NVRC's S2 at 1080p, 6.35 million parameters.

python benchmarks/symbols.py --file video.nvrc --out symbols.npz
python benchmarks/parameter_coding.py --symbols symbols.npz --out docs/results/parameter_coding.md

A trained S2 takes a GPU, so its tensors get symbols with the statistics of a fitted clip: each base grid is laid out
with mirrored copies of a fitted grid, every other tensor is drawn from the fitted one whose name is most alike, and
quantisation steps vary as the fitted ones do. The file is a real one. Loading is all of `load` in a fresh process that
has imported torch and the package and coded nothing yet: building the network, reading the file, tables and layouts
made on the way, decoding. Then all parameters are decoded once more, context networks included, for the time of that
alone. Both are the best of several processes, so the file is in the system's cache.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from symbols import GRIDS, LAYERS, SymbolTensor, load_symbols
from torch import Tensor

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
    MaskedConv3dContext,
    OctreeContext,
    Streams,
    TensorQuantizer,
    VideoFormat,
    load,
    save,
)
from nvrc_components.bitstream.container import SectionKind
from nvrc_components.entropy_models import EntropyModel
from nvrc_components.fitting import Coded, fit
from nvrc_components.representations.hinerv import HiNerv
from nvrc_components.representations.hinerv_presets import hinerv_config
from nvrc_components.side import sides_of
from nvrc_lightning.evaluation.provenance import Machine, git_commit

CONTEXTS: dict[str, Callable[[Tensor], EntropyModel]] = {
    "octree, 10 passes": OctreeContext,
    "masked convolutions": MaskedConv3dContext,
}
FORMAT = VideoFormat(1920, 1080, 600, Fraction(120), 8, Chroma.YUV420, ColourMatrix.BT709, ColourRange.LIMITED)
SLICES = 16
"""Temporal slices of a base grid that its context model learns from."""


def network() -> HiNerv:
    """Return NVRC's S2 with 200 slices in its finest base grid."""
    return HiNerv(hinerv_config("s2", FORMAT.frames, FORMAT.height, FORMAT.width))


def groups(context: Callable[[Tensor], EntropyModel]) -> tuple[Group, ...]:
    """Return NVRC's groups with this context model on the base grids; biases are coded as well."""
    return (
        Group("grids", "*features.grid", BlockQuantizer, context),
        Group("biases", "*bias", TensorQuantizer, GaussianPrior),
        Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
    )


def mirrored(grid: Tensor, shape: torch.Size) -> Tensor:
    """Return a tensor of `shape` laid out with copies of a smaller one, each the mirror image of its neighbours.

    Shape: (t, c, h, w) -> `shape` = (T, C, H, W); channels repeat without mirroring.
    """
    for axis, (old, new) in enumerate(zip(grid.shape, shape, strict=True)):
        ramp = torch.arange(new) % (2 * old)
        index = torch.arange(new) % old if axis == 1 else torch.minimum(ramp, 2 * old - 1 - ramp)
        grid = grid.index_select(axis, index)
    return grid


def drawn(values: Tensor, shape: torch.Size) -> Tensor:
    """Return a tensor of values drawn with replacement."""
    return values[torch.randint(len(values), shape)]


@torch.no_grad()
def fill(compressed: CompressedModule, samples: dict[str, list[SymbolTensor]]) -> None:
    """Give every parameter symbols, and every quantiser steps, like those of the samples."""
    layers = {item.name: item.symbols.flatten() for item in samples[LAYERS]}
    spread = {name: _step_deviations(items) for name, items in samples.items()}
    grids = 0
    named = compressed.module.named_parameters()
    for (name, parameter), codec in zip(named, compressed.tensor_codecs(), strict=True):
        kind = GRIDS if codec.group == "grids" else LAYERS
        for side in sides_of([codec.quantizer]):
            side.value.add_(drawn(spread[kind], side.value.shape))
        if kind == GRIDS:
            symbols = mirrored(samples[GRIDS][min(grids, len(samples[GRIDS]) - 1)].symbols, parameter.shape)
            grids += 1
        else:
            alike = get_close_matches(name, layers, n=1, cutoff=0)[0]
            symbols = drawn(layers[alike], parameter.shape)
        parameter.copy_(symbols * codec.quantizer.step())


def _step_deviations(items: Sequence[SymbolTensor]) -> Tensor:
    return torch.cat([(item.log2_step - item.log2_step.median()).flatten() for item in items])


def learn(compressed: CompressedModule, iterations: int) -> None:
    """Fit the entropy models, the context models to the first slices of their grids."""
    items = []
    for (name, parameter), codec in zip(compressed.module.named_parameters(), compressed.tensor_codecs(), strict=True):
        with torch.no_grad():
            symbols, log2_step = codec.rounded(name, parameter), codec.quantizer.log2_step()
        if codec.group == "grids":
            symbols, log2_step = symbols[:SLICES], log2_step[:SLICES]
        items.append(Coded(codec.entropy_model, symbols, log2_step))
    fit(items, iterations, 0.03)


def load_seconds(path: Path, threads: int) -> tuple[float, float]:
    """Return the seconds of loading a file, and those of decoding its parameters once more."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    video = load(path)
    middle = time.perf_counter()
    payloads = {section.name: section.payload for section in video.sections if section.kind == SectionKind.GROUP}
    side = next(section.payload for section in video.sections if section.kind == SectionKind.SIDE)
    video.compressed.decompress(Streams(side, payloads))
    return middle - start, time.perf_counter() - middle


def measure(context: str, options: argparse.Namespace) -> dict[str, Any]:
    """Write a file, load it in fresh processes, and return a line of the table.

    Raises:
        AssertionError: the loaded parameters differ from the written ones.
    """
    torch.manual_seed(0)
    compressed = CompressedModule(network(), groups(CONTEXTS[context])).eval()
    fill(compressed, load_symbols(options.symbols))
    learn(compressed, options.iterations)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.nvrc"
        start = time.perf_counter()
        size = save(compressed, FORMAT, path)
        saving = time.perf_counter() - start
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            runs = [pool.apply(load_seconds, (path, options.threads)) for _ in range(options.repeats)]
        decoded = load(path).compressed
    pairs = zip(compressed.quantized().values(), decoded.module.parameters(), strict=True)
    if not all(torch.equal(written, read) for written, read in pairs):
        raise AssertionError(f"{context}: loaded parameters differ from those written")
    symbols = sum(parameter.numel() for parameter in compressed.module.parameters())
    side = sum(tensor.value.numel() for tensor in compressed.side_tensors())
    figures = {"parameters": f"{symbols:,}", "side parameters": f"{side:,}", "file bytes": f"{size:,}"}
    loading, decoding = (min(times) for times in zip(*runs, strict=True))
    times = {"save s": f"{saving:.2f}", "load s": f"{loading:.2f}", "parameters s": f"{decoding:.2f}"}
    return {"grids' model": context, **figures, **times, "Msymbol/s": f"{(symbols + side) / decoding / 1e6:.2f}"}


def report(lines: Sequence[dict[str, Any]], threads: int) -> str:
    """Return the table in Markdown, with what it was measured on."""
    machine = Machine.describe()
    heads = list(lines[0])
    rows = [heads, ["---"] * len(heads), *(list(line.values()) for line in lines)]
    where = f"{machine.cores} cores, {machine.cpu}; {threads} threads; torch {torch.__version__}; "
    return "\n".join(
        [
            "# Decoding the parameters of a large network",
            "",
            *("    " * line.startswith("python ") + line for line in (__doc__ or "").strip().splitlines()),
            "",
            f"{where}commit {(git_commit() or 'unknown')[:12]}. Targets: 5 s with the octree, 20 s with masked",
            "convolutions; the NVRC paper gives 37.0 s on an RTX 4090.",
            "",
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
        ]
    )


def main() -> None:
    """Measure every context model and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=100, help="steps of fitting the entropy models")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    lines = []
    for context in CONTEXTS:
        lines.append(measure(context, options))
        print(lines[-1], flush=True)
    options.out.write_text(report(lines, options.threads), encoding="utf-8")


if __name__ == "__main__":
    main()
