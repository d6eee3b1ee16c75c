"""Symbols a second and bits of the entropy models on the parameters of a fitted `.nvrc` file, networks included.

python benchmarks/entropy_coding.py --file video.nvrc --threads 2

Every tensor of the file is coded again by its own entropy model, each way, and once more by one Gaussian for the
tensor, fitted in the same way, as the yardstick for what context and dual axes are worth.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nvrc_components.bitstream.video_file import load
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import EntropyModel, GaussianPrior
from nvrc_components.quantizers import TensorQuantizer


@dataclass
class Tally:
    """What coding a group of tensors took."""

    symbols: int = 0
    size: int = 0
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
    gaussian_size: int = 0


def code(model: EntropyModel, symbols: Tensor, log2_step: Tensor, repeats: int) -> tuple[int, float, float]:
    """Return bytes and the best of several encode and decode times; decoding must give the symbols back."""
    best = [float("inf"), float("inf")]
    for _ in range(repeats):
        start = time.perf_counter()
        encoder = SymbolEncoder()
        model.encode(symbols, log2_step, encoder)
        stream = encoder.to_bytes()
        middle = time.perf_counter()
        decoded = model.decode(symbols.shape, log2_step, SymbolDecoder(stream))
        best = [min(best[0], middle - start), min(best[1], time.perf_counter() - middle)]
        if not torch.equal(decoded, symbols):
            raise AssertionError("decoded symbols differ")
    return len(stream), best[0], best[1]


def gaussian_bytes(symbols: Tensor) -> int:
    """Return the bytes of the symbols under one Gaussian for the tensor, its parameters included."""
    module = torch.nn.ParameterDict({"x": torch.nn.Parameter(symbols.clone())})
    plain = CompressedModule(module, [Group("x", "*", TensorQuantizer, GaussianPrior)]).eval()
    with torch.no_grad():
        next(plain.tensor_codecs()).quantizer.shared.value.zero_()  # type: ignore[union-attr, operator]
    plain.fit_entropy_models(200, 0.1)
    streams = plain.compress()
    return len(streams.side) + len(streams.groups["x"])


def tensors(compressed: CompressedModule) -> Iterator[tuple[str, EntropyModel, Tensor, Tensor]]:
    """Yield group, entropy model, symbols and log2-steps of every parameter."""
    parameters = compressed.module.parameters()
    for codec, tensor in zip(compressed.tensor_codecs(), parameters, strict=True):
        symbols = torch.round(tensor.detach() / codec.quantizer.step().detach())
        yield codec.group, codec.entropy_model, symbols, codec.quantizer.log2_step().detach()


def main() -> None:
    """Print a table, one line a group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tallies: dict[str, Tally] = {}
    for group, model, symbols, log2_step in tensors(load(options.file).compressed):
        size, encoding, decoding = code(model, symbols, log2_step, options.repeats)
        tally = tallies.setdefault(group, Tally())
        tally.symbols += symbols.numel()
        tally.size += size
        tally.encode_seconds += encoding
        tally.decode_seconds += decoding
        tally.gaussian_size += gaussian_bytes(symbols)
    print("| group | symbols | bytes | bytes, one Gaussian a tensor | encode Msymbol/s | decode Msymbol/s |")
    print("|---|---|---|---|---|---|")
    for name, t in tallies.items():
        speeds = f"{t.symbols / t.encode_seconds / 1e6:.2f} | {t.symbols / t.decode_seconds / 1e6:.2f}"
        print(f"| {name} | {t.symbols:,} | {t.size:,} | {t.gaussian_size:,} | {speeds} |")


if __name__ == "__main__":
    main()
