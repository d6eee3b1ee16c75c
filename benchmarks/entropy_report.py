"""Results of the entropy coding benchmark as a CSV file and a Markdown report."""

import csv
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from symbols import GRIDS, LAYERS

from nvrc_lightning.evaluation.provenance import Machine, git_commit

_PACKAGES = ("torch", "numpy", "constriction", "compressai", "torchac")


@dataclass(frozen=True)
class Row:
    """One coder on one group of tensors: sizes in bytes, times in seconds; `label` is the short name."""

    group: str
    coder: str
    label: str
    symbols: int
    stream: int
    side: int
    estimate: float
    encode_seconds: float
    decode_seconds: float

    @property
    def bits(self) -> float:
        """Bits a symbol, side bytes included."""
        return 8 * (self.stream + self.side) / self.symbols

    @property
    def overhead(self) -> float:
        """What the stream has over the model's own cross-entropy, per cent."""
        return 100 * (self.stream / self.estimate - 1)

    @property
    def encode_speed(self) -> float:
        """Msymbol/s."""
        return self.symbols / self.encode_seconds / 1e6

    @property
    def decode_speed(self) -> float:
        """Msymbol/s."""
        return self.symbols / self.decode_seconds / 1e6


class SpeedTarget(NamedTuple):
    """The least speed of a coder, by label, in Msymbol/s on two cores; 0 where only the other way counts."""

    group: str
    coder: str
    encode: float
    decode: float


class Comparison(NamedTuple):
    """Two coders of a group, by label, and what their difference should be."""

    group: str
    coder: str
    other: str
    target: str


COMPARISONS = (
    Comparison(GRIDS, "octree 10", "masked conv", "at most +3 %"),
    Comparison(GRIDS, "octree 10", "Gaussian", "at most -8 %"),
    Comparison(GRIDS, "masked conv", "Gaussian", "at most -8 %"),
    Comparison(GRIDS, "octree 10", "CompressAI", ""),
    Comparison(GRIDS, "octree 10", "torchac", ""),
    Comparison(LAYERS, "dual-axis", "Gaussian", ""),
    Comparison(LAYERS, "dual-axis", "CompressAI", ""),
    Comparison(LAYERS, "dual-axis", "torchac", ""),
)
SPEEDS = (
    SpeedTarget(GRIDS, "octree 10", 2, 2),
    SpeedTarget(GRIDS, "masked conv", 0, 0.2),
    SpeedTarget(LAYERS, "dual-axis", 0, 4),
)
NOTES = """
Encode and decode are Msymbol/s, context networks included, the best of several runs. Bit/symbol counts side bytes. The
estimate is the coder's own cross-entropy of these symbols; target for ours: the stream within 0.2 % of it. In the NVRC
paper (arXiv 2409.07414, ablation V2) doing without the context model costs 10 to 11 % of the whole rate.

- Ours: one entropy model a tensor, fitted to these symbols, all in one stream; side bytes are phi and psi as a file
  holds them. Gaussians without context are in the units that make a group smaller: of the step for grids, the
  tensor's own for layers. Masked convolutions choose their hidden units by the number of symbols: none for less than
  2^17, 4 for less than 2^20, else 8, the paper's number, which has a row of its own.
- CompressAI: one string a tensor with its 64 default scales, the best mean and scale of each tensor in the same units
  as our Gaussian; side bytes are two float32 a tensor.
- torchac, as HiNeRV's official code uses it: one stream a tensor, counted frequencies, their table repeated for every
  symbol; side bytes are the float32 frequencies and int32 values that HiNeRV stores, without its pickle and zip.
- Quantisation steps cost the same under every coder and are not counted. The clip was fitted with the octree of ten
  passes on its grids and the dual-axis model on its layers, which favours these two.
"""


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write one line for each coder and group."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "group",
                "coder",
                "symbols",
                "stream_bytes",
                "side_bytes",
                "bits_per_symbol",
                "estimate_bytes",
                "overhead_percent",
                "encode_msymbols_per_s",
                "decode_msymbols_per_s",
            ]
        )
        for row in rows:
            figures = f"{row.bits:.4f}", f"{row.estimate:.0f}", f"{row.overhead:.3f}"
            speeds = f"{row.encode_speed:.3f}", f"{row.decode_speed:.3f}"
            writer.writerow([row.group, row.coder, row.symbols, row.stream, row.side, *figures, *speeds])


def write_markdown(rows: Sequence[Row], options: Namespace) -> None:
    """Write the report beside the CSV file and the plot."""
    name = options.out.name
    lines = ["# Entropy coders on the same real symbols", "", *_origin(options), ""]
    lines += [f"![Bits a symbol against decoding speed]({name}.svg)", "", f"[CSV]({name}.csv)", ""]
    for group in dict.fromkeys(row.group for row in rows):
        lines += [*_table([row for row in rows if row.group == group], options.tile), ""]
    lines += ["## Speed against targets", "", *_speeds(rows), "", "## Size against size", "", *_comparisons(rows), ""]
    lines += ["## How it was measured", "", NOTES.strip("\n")]
    options.out.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _origin(options: Namespace) -> Iterator[str]:
    """What was run, on what."""
    machine = Machine.describe()
    yield "    python benchmarks/symbols.py --file video.nvrc --out symbols.npz"
    chosen = f"--out docs/results/{options.out.name} --threads {options.threads}"
    chosen += f" --iterations {options.iterations} --tile {options.tile}"
    yield f"    python benchmarks/entropy_coding.py --symbols symbols.npz {chosen}"
    yield ""
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in _PACKAGES)
    commit = (git_commit() or "unknown")[:12]
    where = f"{machine.cores} cores, {machine.cpu}; {versions}; commit {commit}"
    yield from wrap(f"The file is a fit of {options.clip}. Measured on {where}.", 120, break_on_hyphens=False)


def _table(rows: Sequence[Row], copies: int) -> Iterator[str]:
    group, symbols = rows[0].group, rows[0].symbols
    tiled = f", the grids tiled {copies} x {copies} x {copies} for speed only" if copies > 1 and group == GRIDS else ""
    yield f"## {group.capitalize()}: {symbols:,} symbols{tiled}"
    yield ""
    yield "| coder | stream bytes | side bytes | bit/symbol | estimate bytes | stream - estimate | encode | decode |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        size = f"{row.stream:,} | {row.side:,} | {row.bits:.3f} | {row.estimate:,.0f} | {row.overhead:+.2f} %"
        yield f"| {row.coder} | {size} | {row.encode_speed:.2f} | {row.decode_speed:.2f} |"


def _speeds(rows: Sequence[Row]) -> Iterator[str]:
    by_label = {(row.group, row.label): row for row in rows}
    yield "| group | coder | encode | target | decode | target |"
    yield "|---|---|---|---|---|---|"
    for group, label, encode, decode in SPEEDS:
        row = by_label[group, label]
        ways = _against(row.encode_speed, encode), _against(row.decode_speed, decode)
        yield f"| {group} | {row.coder} | " + " | ".join(ways) + " |"


def _against(speed: float, target: float) -> str:
    """Return the cells of a speed and of its target."""
    if not target:
        return f"{speed:.2f} |"
    return f"{speed:.2f} | {'met' if speed >= target else 'missed'}: at least {target:g}"


def _comparisons(rows: Sequence[Row]) -> Iterator[str]:
    by_label = {(row.group, row.label): row for row in rows}
    yield "| group | coder | against | with side bytes | streams alone | target |"
    yield "|---|---|---|---|---|---|"
    for group, first, second, target in COMPARISONS:
        a, b = by_label.get((group, first)), by_label.get((group, second))
        if a and b:
            differences = f"{100 * (a.bits / b.bits - 1):+.1f} % | {100 * (a.stream / b.stream - 1):+.1f} %"
            yield f"| {group} | {a.coder} | {b.coder} | {differences} | {target} |"
