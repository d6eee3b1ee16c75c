"""Whether symbols of a fitted file mean the same in every environment, for every entropy model.

python benchmarks/reproducibility.py --file video.nvrc --out docs/results/reproducibility.md

The parameters of the file are coded again, into a file for each entropy model, fitted briefly. Fresh processes then
decode these files, one for each setting on each processor that this one can act like: what the golden files of the
tests are decoded under. Symbols that differ from those encoded are counted, and the streams that encoding them
again gives are compared byte for byte.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

# Environments are the tests' own: run as a script, this folder is on the path, and not the one above.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nvrc_components import (
    CodedColour,
    CompressedModule,
    DualAxisGaussian,
    EntropyModel,
    GaussianPrior,
    Group,
    MaskedConv3dContext,
    OctreeContext,
    VideoFile,
    load,
    save,
)
from nvrc_components.bitstream import SectionKind
from nvrc_components.coding.range_coder import SymbolEncoder
from nvrc_lightning.evaluation.provenance import Machine, git_commit, library_versions
from tests.golden.compiled import BACKEND, compiled
from tests.golden.hashes import symbols_of
from tests.golden.processors import fingerprint, processors, run
from tests.golden.settings import GPU, HALF, SETTINGS

GRIDS: Final = "grids"
COMPILED: Final = f"compiled ({BACKEND})"
ENVIRONMENTS: Final = {**SETTINGS, **HALF, COMPILED: compiled, **(GPU if torch.cuda.is_available() else {})}
HERE: Final = "this processor"
# Grids, then all other parameters.
MODELS: Final[dict[str, tuple[Callable[[Tensor], EntropyModel], Callable[[Tensor], EntropyModel]]]] = {
    "octree_4": (partial(OctreeContext, passes=4), DualAxisGaussian),
    "octree_10": (partial(OctreeContext, passes=10), DualAxisGaussian),
    "octree_22": (partial(OctreeContext, passes=22), DualAxisGaussian),
    "masked_conv": (MaskedConv3dContext, DualAxisGaussian),
    "dual_axis": (DualAxisGaussian, DualAxisGaussian),
    "gaussian": (GaussianPrior, GaussianPrior),
}


@dataclass
class Tally:
    """What one environment made of one entropy model's streams."""

    symbols: int = 0
    mismatches: int = 0
    streams: int = 0
    changed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def name_of(model: EntropyModel) -> str:
    """Return an entropy model's name in the table."""
    return f"octree, {model.passes} passes" if isinstance(model, OctreeContext) else type(model).__name__


def recoded(video: VideoFile, name: str, iterations: int) -> CompressedModule:
    """Return the video's parameters, at the same steps, with these entropy models fitted to them."""
    grids, rest = MODELS[name]
    old = video.compressed
    groups: list[Group] = [replace(g, entropy_model=grids if g.name == GRIDS else rest) for g in old.groups]
    new = CompressedModule(old.module, groups).eval()
    for theirs, ours in zip(old.tensor_codecs(), new.tensor_codecs(), strict=True):
        ours.quantizer.load_state_dict(theirs.quantizer.state_dict())
    new.fit_entropy_models(iterations)
    return new


def prepare(file: Path, folder: Path, iterations: int) -> None:
    """Write a file for each entropy model, and the symbols that all of them hold."""
    video = load(file)
    np.savez(folder / "symbols.npz", *(symbols.numpy().astype(np.int64) for symbols in symbols_of(video)))
    for name in MODELS:
        compressed = recoded(video, name, iterations)
        size = save(compressed, video.format, folder / f"{name}.nvrc", CodedColour(video.header.coded_colour))
        print(f"{name}: {size:,} bytes", file=sys.stderr, flush=True)


def tallies(folder: Path, device: str) -> Iterator[tuple[str, Tally]]:
    """Decode every file, encode its symbols again, and yield entropy models with what was found."""
    with np.load(folder / "symbols.npz") as archive:
        expected = [archive[name] for name in archive.files]
    for name in MODELS:
        video = load(folder / f"{name}.nvrc")
        video.compressed.to(device)
        payloads = {section.name: section.payload for section in video.sections if section.kind == SectionKind.GROUP}
        encoders = {group: SymbolEncoder() for group in payloads}
        for codec, wanted, symbols in zip(video.compressed.tensor_codecs(), expected, symbols_of(video), strict=True):
            codec.entropy_model.encode(symbols, codec.quantizer.log2_step(), encoders[codec.group])
            mismatches = int((symbols.double().cpu().numpy().astype(np.int64) != wanted).sum())
            yield name_of(codec.entropy_model), Tally(wanted.size, mismatches)
        owners = {codec.group: name_of(codec.entropy_model) for codec in video.compressed.tensor_codecs()}
        for group, encoder in encoders.items():
            yield owners[group], Tally(streams=1, changed=int(encoder.to_bytes() != payloads[group]))


@torch.no_grad()
def check(folder: Path, setting: str) -> None:
    """Print, as JSON, the tally of each entropy model in this process under a setting."""
    found: dict[str, Tally] = {}
    with ENVIRONMENTS[setting]():
        for model, tally in tallies(folder, "cuda" if setting in GPU else "cpu"):
            found[model] = found.get(model, Tally()) + tally
    print(json.dumps({"floats": fingerprint(), "tallies": {model: vars(tally) for model, tally in found.items()}}))


Results = dict[tuple[str, str], dict[str, Tally]]


def measure(folder: Path) -> tuple[Results, set[str]]:
    """Check every environment in a process of its own; also return what floating-point functions gave in them."""
    results: Results = {}
    floats = set()
    for processor, variables in {HERE: {}, **processors()}.items():
        for setting in ENVIRONMENTS:
            if setting in GPU and processor != HERE:
                continue
            printed = json.loads(run([__file__, "--check", str(folder), "--setting", setting], variables))
            floats.add(printed["floats"])
            results[processor, setting] = {model: Tally(**tally) for model, tally in printed["tallies"].items()}
            print(f"{processor}, {setting}: {results[processor, setting]}", file=sys.stderr, flush=True)
    return results, floats


def totals(results: Results) -> dict[str, Tally]:
    """Return the tally of each entropy model over all environments."""
    sums: dict[str, Tally] = {}
    for found in results.values():
        for model, tally in found.items():
            sums[model] = sums.get(model, Tally()) + tally
    return sums


def tables(results: Results) -> Iterator[str]:
    """Yield the lines of the table of entropy models, and of that of environments."""
    sums = totals(results)
    yield "| entropy model | environments | symbols decoded | mismatching | streams encoded again | changed |"
    yield "|---|---|---|---|---|---|"
    for model, t in sums.items():
        yield f"| {model} | {len(results)} | {t.symbols:,} | {t.mismatches:,} | {t.streams:,} | {t.changed:,} |"
    yield ""
    yield "Symbols, and how many of them mismatch, by environment:"
    yield ""
    yield f"| processor | setting | {' | '.join(sums)} |"
    yield f"|---|---|{'---|' * len(sums)}"
    for (processor, setting), found in results.items():
        cells = " | ".join(f"{found[model].symbols:,}: {found[model].mismatches:,}" for model in sums)
        yield f"| {processor} | {setting} | {cells} |"


def report(options: argparse.Namespace, results: Results, floats: set[str]) -> str:
    """Return the page of results."""
    machine, versions, commit = Machine.describe(), library_versions(), git_commit() or "unknown"
    packages = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "constriction"))
    command = f"python benchmarks/reproducibility.py --file video.nvrc --out {options.out}"
    names = "; ".join(
        f"{name}: " + " ".join(f"{k}={v!r}" for k, v in variables.items()) for name, variables in processors().items()
    )
    lines = [
        "# Symbols are the same everywhere",
        "",
        f"`{command}` on {options.clip}; commit {commit[:9]}; {machine.cpu}, {machine.cores} cores; {packages}.",
        "",
        "Each line of the second table is a fresh process that decodes a file for each entropy model and encodes its",
        "symbols again. Over all of them the same floating-point functions (`exp`, a float32 matrix product) gave",
        f"{len(floats)} different results: the environments differ, the symbols may not.",
        "",
        *tables(results),
        "",
        f"Processors by environment variables: {names}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prepare, check and report; or check one environment, when called for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--clip", default="a fitted file", help="what the file is of, for the report")
    parser.add_argument("--iterations", type=int, default=150, help="steps of fitting each entropy model")
    parser.add_argument("--check", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        check(options.check, options.setting)
        return
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        prepare(options.file, Path(folder), options.iterations)
        results, floats = measure(Path(folder))
    page = report(options, results, floats)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
