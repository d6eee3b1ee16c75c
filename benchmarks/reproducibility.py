"""Whether symbols of a fitted file mean the same in every environment, for every entropy model.

python benchmarks/reproducibility.py --file video.nvrc --out docs/results/reproducibility.md

The parameters of the file are coded again, into a file for each entropy model, fitted briefly. Fresh processes then
decode these files, one for each setting on each processor that this one can act like: what the golden files of the
tests are decoded under. Symbols that differ from those encoded are counted, and the streams that encoding them
again gives are compared byte for byte. The exit status is 1 if anything differs.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from reproducibility_report import Environment, Results, Tally, page
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
    ZeroInflatedGaussian,
    load,
    save,
)
from nvrc_components.bitstream import SectionKind
from nvrc_components.coding.range_coder import SymbolEncoder
from tests.golden.compiled import BACKEND, compiled
from tests.golden.hashes import symbols_of
from tests.golden.processors import fingerprint, processors, run
from tests.golden.settings import GPU, SETTINGS

GRIDS: Final = "grids"
COMPILED: Final = f"compiled ({BACKEND})"
CONDITIONS: Final = {**SETTINGS, COMPILED: compiled, **(GPU if torch.cuda.is_available() else {})}
HERE: Final = "this processor"
# Those of the grids, then of all other parameters. Where they differ, only the grids are counted: no symbol twice.
MODELS: Final[dict[str, tuple[Callable[[Tensor], EntropyModel], Callable[[Tensor], EntropyModel]]]] = {
    "octree_4": (partial(OctreeContext, passes=4), DualAxisGaussian),
    "octree_10": (partial(OctreeContext, passes=10), DualAxisGaussian),
    "octree_22": (partial(OctreeContext, passes=22), DualAxisGaussian),
    "masked_conv": (MaskedConv3dContext, DualAxisGaussian),
    "dual_axis": (DualAxisGaussian, DualAxisGaussian),
    "gaussian": (GaussianPrior, GaussianPrior),
    "zero_inflated": (ZeroInflatedGaussian, ZeroInflatedGaussian),
}


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


def tally(file: Path, expected: Sequence[NDArray[np.int64]], device: str) -> tuple[str, Tally]:
    """Decode a file, encode its symbols again, and return its entropy model with what was found."""
    video = load(file)
    video.compressed.to(device)
    grids, rest = MODELS[file.stem]
    payloads = {section.name: section.payload for section in video.sections if section.kind == SectionKind.GROUP}
    encoders = {group: SymbolEncoder() for group in payloads if group == GRIDS or grids is rest}
    result, names = Tally(), set[str]()
    for codec, wanted, symbols in zip(video.compressed.tensor_codecs(), expected, symbols_of(video), strict=True):
        if codec.group in encoders:
            codec.entropy_model.encode(symbols, codec.quantizer.log2_step(), encoders[codec.group])
            differ = int((symbols.double().cpu().numpy().astype(np.int64) != wanted).sum())
            result += Tally(wanted.size, differ)
            names.add(name_of(codec.entropy_model))
    for group, encoder in encoders.items():
        result += Tally(streams=1, changed=int(encoder.to_bytes() != payloads[group]))
    (name,) = names
    return name, result


@torch.no_grad()
def check(folder: Path, setting: str) -> None:
    """Print, as JSON, what was found in this process under a setting."""
    with np.load(folder / "symbols.npz") as archive:
        expected = [archive[name] for name in archive.files]
    device = "cuda" if setting in GPU else "cpu"
    with CONDITIONS[setting]():
        tallies = dict(tally(folder / f"{name}.nvrc", expected, device) for name in MODELS)
        floats = fingerprint(device)
    print(json.dumps({"tallies": {model: vars(found) for model, found in tallies.items()}, "floats": floats}))


def measure(folder: Path) -> Results:
    """Check every environment in a process of its own."""
    results: Results = {}
    for processor, variables in {HERE: {}, **processors()}.items():
        for setting in CONDITIONS:
            if setting in GPU and processor != HERE:
                continue
            printed = json.loads(run([__file__, "--check", str(folder), "--setting", setting], variables))
            tallies = {model: Tally(**found) for model, found in printed["tallies"].items()}
            environment = Environment(tallies, printed["floats"])
            results[processor, setting] = environment
            print(f"{processor}, {setting}: {environment.total}", file=sys.stderr, flush=True)
    return results


def main() -> None:
    """Prepare, check and report; or check one environment, when called for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
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
        results = measure(Path(folder))
    command = f"python benchmarks/reproducibility.py --file video.nvrc --iterations {options.iterations}"
    text = page(f"`{command}`, on {options.clip}", results, processors())
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    totals = [environment.total for environment in results.values()]
    sys.exit(any(total.mismatches or total.changed for total in totals))


if __name__ == "__main__":
    main()
