"""What each entropy model earns on the same parameters: a file's symbols coded by others, each fitted to them.

python benchmarks/recoding.py nvrc_8.nvrc

Trainings end up a few percent apart by chance; the same symbols tell smaller differences. Bytes are estimates, with
those of each model's own side information. Nothing else of the file changes: not its steps, nor its pictures.
"""

import argparse
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from nvrc_components import load
from nvrc_components.coarsening import coarsen
from nvrc_components.compressed_module import CompressedModule
from nvrc_components.entropy_models import (
    DualAxisGaussian,
    EntropyModel,
    GaussianPrior,
    MaskedConv3dContext,
    OctreeContext,
)
from nvrc_components.fitting import Coded, fit
from nvrc_components.side import sides_of

Make = Callable[[Tensor], EntropyModel]
MODELS: Final[Mapping[str, Mapping[str, Make]]] = {
    "grids": {
        "one Gaussian a grid (V2)": GaussianPrior,
        "masked convolutions": MaskedConv3dContext,
        "octree of 10 passes": OctreeContext,
    },
    "weights": {
        "one Gaussian a tensor": GaussianPrior,
        "rows and columns from 128 elements on": partial(DualAxisGaussian, shortest=128),
        "rows and columns from 32 elements on": partial(DualAxisGaussian, shortest=32),
    },
}


@torch.no_grad()
def byte_count(items: Sequence[Coded]) -> float:
    """Return the bytes of symbols and of their models' side information."""
    symbols = sum(float(item.model.bits(item.symbols, item.log2_step)) for item in items)
    return (symbols + sum(float(side.bits()) for side in sides_of(item.model for item in items))) / 8


def recoded(items: Sequence[Coded], make: Make, iterations: int) -> float:
    """Return the bytes under models of another kind, fitted from their start."""
    fresh = [item._replace(model=make(item.symbols * item.log2_step.exp2())) for item in items]
    fit(fresh, iterations, rate=0.05)  # they start far from where they end
    coarsen(fresh)
    return byte_count(fresh)


@torch.no_grad()
def side_bytes(compressed: CompressedModule, plain: bool) -> float:
    """Return the bytes of all side information, or what they would be without priors and steps of its own (V4)."""
    sides = copy.deepcopy(compressed).side_tensors()
    if plain:
        for side in sides:
            side.make_plain()
    return sum(float(side.bits()) for side in sides) / 8


def rows(path: Path, iterations: int) -> Iterator[tuple[str, str, float]]:
    """Yield (part, how it is coded, bytes)."""
    compressed = load(path).compressed.eval()
    groups = [codec.group for codec in compressed.tensor_codecs()]
    for group, models in MODELS.items():
        items = [item for item, own in zip(compressed.coded(), groups, strict=True) if own == group]
        for name, make in models.items() if items else ():
            yield group, name, recoded(items, make, iterations)
    for name, plain in {"coded": False, "plain (V4)": True}.items():
        yield "side information", name, side_bytes(compressed, plain)


def main() -> None:
    """Print a table for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--iterations", type=int, default=400, help="of each fit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| file | part | coded by | bytes | of the file |\n|---|---|---|---|---|")
    for path in options.files:
        whole = path.stat().st_size
        for part, name, size in rows(path, options.iterations):
            print(f"| {path.stem} | {part} | {name} | {size:,.0f} | {size / whole:.1%} |", flush=True)


if __name__ == "__main__":
    main()
