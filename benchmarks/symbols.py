"""Real symbols for measuring entropy coders: those of a fitted `.nvrc` file, grids and layers apart.

python benchmarks/symbols.py --file video.nvrc --out symbols.npz

The archive holds the integer symbols of every tensor (int32) and log2 of their quantisation steps (float32); tensors
of the file's group `grids` are grids, all others layers.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nvrc_components.bitstream.video_file import load

GRIDS = "grids"
LAYERS = "layers"


class SymbolTensor(NamedTuple):
    """The integer symbols of one parameter, and log2 of its steps, broadcastable to them."""

    name: str
    symbols: Tensor
    log2_step: Tensor


def of_file(path: str) -> dict[str, list[SymbolTensor]]:
    """Return the symbols of all parameters of an `.nvrc` file."""
    compressed = load(path).compressed
    result: dict[str, list[SymbolTensor]] = {GRIDS: [], LAYERS: []}
    with torch.no_grad():
        named = compressed.module.named_parameters()
        for (name, parameter), codec in zip(named, compressed.tensor_codecs(), strict=True):
            item = SymbolTensor(name, codec.rounded(name, parameter), codec.quantizer.log2_step())
            result[GRIDS if codec.group == GRIDS else LAYERS].append(item)
    return result


def save_symbols(groups: dict[str, list[SymbolTensor]], path: Path) -> None:
    """Write the archive."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for group, items in groups.items():
        for item in items:
            arrays[f"{group}/{item.name}/symbols"] = item.symbols.numpy().astype(np.int32)
            arrays[f"{group}/{item.name}/log2_step"] = item.log2_step.numpy().astype(np.float32)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_symbols(path: Path) -> dict[str, list[SymbolTensor]]:
    """Return what `save_symbols` wrote, symbols as float32 tensors."""
    result: dict[str, list[SymbolTensor]] = {GRIDS: [], LAYERS: []}
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            group, name, part = key.split("/")
            if part == "symbols":
                symbols = torch.from_numpy(archive[key]).float()
                log2_step = torch.from_numpy(archive[f"{group}/{name}/log2_step"])
                result[group].append(SymbolTensor(name, symbols, log2_step))
    return result


def tile(item: SymbolTensor, copies: int) -> SymbolTensor:
    """Return a grid repeated `copies` times along time, height and width, as a stand-in for a longer, larger clip.

    Shape: (T, C, H, W) -> (copies * T, C, copies * H, copies * W).
    """
    repeats = copies, 1, copies, copies
    steps = item.log2_step.expand_as(item.symbols)
    return SymbolTensor(item.name, item.symbols.repeat(repeats), steps.repeat(repeats))


def main() -> None:
    """Read the file, write the archive and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    groups = of_file(options.file)
    save_symbols(groups, options.out)
    for group, items in groups.items():
        print(f"{group}: {sum(item.symbols.numel() for item in items):,} symbols in {len(items)} tensors")


if __name__ == "__main__":
    main()
