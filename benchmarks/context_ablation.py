"""What exact integers cost a context model: masked convolutions in NVRC's float form and in ours, on the same grids.

python benchmarks/context_ablation.py --symbols symbols.npz --least 50000

The float form is the paper's (arXiv 2409.07414, section 3.3, and its published code): three masked 5x5x5 convolutions
of 8 units, GELU and affine LayerNorm after the first two, one network for each channel, read as (channel, 2). It is
given symbols instead of dequantised values, real-valued means and scales, and weights that are quantised, coded and
trained for rate as ours are, so that activations and their number formats are all that differs. With `shared` one
network serves all channels. Its figures are estimates: no coder can use it across machines.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from symbols import GRIDS, SymbolTensor, load_symbols
from torch import Tensor, nn

from nvrc_components.entropy_models import EntropyModel, MaskedConv3dContext, OctreeContext
from nvrc_components.entropy_models.base import coded_bits
from nvrc_components.entropy_models.context import fitted
from nvrc_components.entropy_models.masked_conv_layout import BEFORE, OFFSETS
from nvrc_components.fitting import Coded, fit
from nvrc_components.functional import counter_uniform, lower_bound, split_blocks
from nvrc_components.side import SideTensor, quantized_together, sides_of

BLOCK = (16, 8, 8)
WIDTH = 8


class FloatMaskedConv3d(nn.Module):
    """The paper's form; only its bits are of interest.

    Shape: grids (T, C, H, W); `networks` is C, or 1 to share one.
    """

    def __init__(self, tensor: Tensor, shared: bool) -> None:
        super().__init__()
        networks = 1 if shared else tensor.shape[1]
        sizes = (WIDTH, 1, BEFORE), (WIDTH, WIDTH, len(OFFSETS)), (2, WIDTH, len(OFFSETS))
        self.kernels = nn.ModuleList(_kernel(networks * o, i, t) for o, i, t in sizes)
        self.biases = nn.ModuleList(SideTensor(torch.zeros(networks, o)) for o, _, _ in sizes)
        self.gains = nn.ModuleList(SideTensor(torch.ones(networks, WIDTH)) for _ in range(2))
        self.shifts = nn.ModuleList(SideTensor(torch.zeros(networks, WIDTH)) for _ in range(2))

    def bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of a whole grid."""
        block = fitted(BLOCK, symbols.shape)
        blocks = split_blocks(symbols, block)
        networks = self.biases[0].value.shape[0]
        x = blocks.reshape(-1, networks, *block)
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = _causal(x, kernel(), networks) + bias().view(-1, 1, 1, 1)
            if index < 2:
                x = _norm(F.gelu(x), networks) * self.gains[index]().view(-1, 1, 1, 1)
                x = x + self.shifts[index]().view(-1, 1, 1, 1)
        mean, log2_scale = x.view(*blocks.shape[:2], 2, *block).unbind(2)
        bits = coded_bits(blocks, mean, lower_bound(log2_scale, -3.25))
        return (bits * split_blocks(torch.ones_like(symbols[:, :1]), block)).sum()


def _kernel(outputs: int, inputs: int, taps: int) -> SideTensor:
    bound = (6 / (inputs * taps)) ** 0.5
    noise = counter_uniform(torch.arange(outputs * inputs * taps, dtype=torch.int32), taps)
    return SideTensor((2 * noise.view(outputs, inputs, taps) - 1) * bound, step=1 / 16)


def _causal(x: Tensor, weight: Tensor, networks: int) -> Tensor:
    full = F.pad(weight, (0, 75 - weight.shape[2])).view(*weight.shape[:2], 3, 5, 5)
    return F.conv3d(F.pad(x, (2, 2, 2, 2, 2, 0)), full, groups=networks)


def _norm(x: Tensor, networks: int) -> Tensor:
    units = x.view(x.shape[0], networks, WIDTH, *x.shape[2:])
    centred = units - units.mean(2, keepdim=True)
    return (centred / (centred.square().mean(2, keepdim=True) + 1e-6).sqrt()).view_as(x)


MODELS: dict[str, Callable[[Tensor], nn.Module]] = {
    "float, a network a channel": partial(FloatMaskedConv3d, shared=False),
    "float, shared": partial(FloatMaskedConv3d, shared=True),
    "integer, width 8": partial(MaskedConv3dContext, width=WIDTH),
    "integer, width 4": partial(MaskedConv3dContext, width=4),
    "integer, width 0": partial(MaskedConv3dContext, width=0),
    "integer, automatic width": MaskedConv3dContext,
    "octree, 10 passes": OctreeContext,
}


def best_size(
    build: Callable[[Tensor], nn.Module], item: SymbolTensor, options: argparse.Namespace
) -> tuple[float, float]:
    """Return bytes of symbols and model at the learning rate that suits the model best: the forms differ in that."""
    return min((size(build, item, options.iterations, rate) for rate in options.rates), key=sum)


def size(build: Callable[[Tensor], nn.Module], item: SymbolTensor, iterations: int, rate: float) -> tuple[float, float]:
    """Return bytes of a grid's symbols under a fitted model, and of the model itself."""
    model = build(item.symbols)
    assert isinstance(model, EntropyModel | FloatMaskedConv3d)
    fit([Coded(model, item.symbols, item.log2_step)], iterations, rate)  # type: ignore[arg-type]
    with torch.no_grad(), quantized_together(sides_of([model])) as side_bits:
        return float(model.bits(item.symbols, item.log2_step)) / 8, float(side_bits()) / 8


def main() -> None:
    """Print a table, one line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--least", type=int, default=0, help="leave out grids of fewer symbols")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.03, 0.01, 0.003])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    grids = [item for item in load_symbols(options.symbols)[GRIDS] if item.symbols.numel() >= options.least]
    names = " | ".join(f"{item.name} ({item.symbols.numel():,})" for item in grids)
    print(f"| model | symbols, bytes | side, bytes | both | {names} |", flush=True)
    print("|---" * (4 + len(grids)) + "|", flush=True)
    for name in options.models:
        sizes = [best_size(MODELS[name], item, options) for item in grids]
        symbols, side = (sum(part) for part in zip(*sizes, strict=True))
        each = " | ".join(f"{a:,.0f} + {b:,.0f}" for a, b in sizes)
        print(f"| {name} | {symbols:,.0f} | {side:,.0f} | {symbols + side:,.0f} | {each} |", flush=True)


if __name__ == "__main__":
    main()
