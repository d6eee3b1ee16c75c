"""Bits and speed of entropy coders on the same real symbols: the package's models, CompressAI's, torchac.

python benchmarks/symbols.py --file video.nvrc --out symbols.npz
python benchmarks/entropy_coding.py --symbols symbols.npz --out docs/results/entropy_coding

Writes a Markdown report, a CSV file and a plot. Every coder is first fitted to the symbols; times are the best of
several, context networks included; decoded symbols must be those encoded. Needs the extra `bench`.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from coders import Blank, Coder, ModelCoder
from entropy_plot import write_plot
from entropy_report import Row, write_csv, write_markdown
from rivals import CompressAiGaussian, TorchacFrequencies
from symbols import GRIDS, SymbolTensor, load_symbols, tile

from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, MaskedConv3dContext, OctreeContext
from nvrc_components.entropy_models.context import AUTO


def coders(group: str, iterations: int) -> list[Coder]:
    """Return the coders that take a group's tensors.

    Gaussians are in the units that suit a group better: for grids those of the step (2 % smaller), for layers the
    tensor's own. Rates of fitting are the best found.
    """
    in_steps = group == GRIDS
    common: list[Coder] = [
        ModelCoder("dual-axis Gaussian", "dual-axis", DualAxisGaussian, 0.05, iterations, in_steps),
        ModelCoder("one Gaussian a tensor", "Gaussian", GaussianPrior, 0.05, iterations, in_steps),
        CompressAiGaussian(in_steps),
        TorchacFrequencies(),
    ]
    if group != GRIDS:
        return common
    octrees = (
        ModelCoder(f"octree, {n} passes", f"octree {n}", partial(OctreeContext, passes=n), 0.05, iterations, in_steps)
        for n in (4, 10, 22)
    )
    masked = (
        ModelCoder(name, label, partial(MaskedConv3dContext, width=width), rate, iterations, in_steps)
        for name, label, width, rate in (
            ("masked convolutions", "masked conv", AUTO, 0.03),
            ("masked convolutions, 8 hidden units", "masked conv 8", 8, 0.06),
        )
    )
    return [*octrees, *masked, *common]


def measure(coder: Coder, group: str, items: Sequence[SymbolTensor], repeats: int) -> Row:
    """Code the tensors both ways several times.

    Raises:
        AssertionError: decoded symbols differ from those encoded.
    """
    blanks = [Blank(item.symbols.shape, item.log2_step) for item in items]
    streams: list[bytes] = []
    encoding, decoding = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        streams = coder.encode(items)
        middle = time.perf_counter()
        decoded = coder.decode(blanks, streams)
        decoding.append(time.perf_counter() - middle)
        encoding.append(middle - start)
        if not all(torch.equal(symbols, item.symbols) for symbols, item in zip(decoded, items, strict=True)):
            raise AssertionError(f"{coder.name}: decoded symbols differ from those encoded")
    return Row(
        group,
        coder.name,
        coder.label,
        sum(item.symbols.numel() for item in items),
        sum(map(len, streams)),
        coder.side_bytes(),
        coder.estimated_bytes(items),
        min(encoding),
        min(decoding),
    )


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Yield a row for each group and coder, told on the way."""
    for group, sample in load_symbols(options.symbols).items():
        items = [tile(item, options.tile) for item in sample] if group == GRIDS else sample
        for coder in coders(group, options.iterations):
            start = time.perf_counter()
            coder.fit(items, sample)
            fitted = time.perf_counter() - start
            row = measure(coder, group, items, options.repeats)
            print(f"{group}: {coder.name}: fitted in {fitted:.0f} s, {row.bits:.3f} bit/symbol,", end=" ")
            print(f"encodes {row.encode_speed:.2f}, decodes {row.decode_speed:.2f} Msymbol/s", flush=True)
            yield row


def main() -> None:
    """Measure and write the report, the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="path of the results without an extension")
    parser.add_argument("--clip", default="a clip", help="what the symbols are of, for the report")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=400, help="steps of fitting our models")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--tile", type=int, default=1, help="copies of the grids along time, height and width")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    table = list(rows(options))
    write_csv(table, options.out.with_suffix(".csv"))
    write_plot(table, options.out.with_suffix(".svg"))
    write_markdown(table, options)


if __name__ == "__main__":
    main()
