"""Settings of a process under which bytes must mean the same, each a context manager.

Golden files are decoded and encoded under all of them by the tests here, and under two of them on all `processors`;
a fitted file under all of them on all processors by benchmarks/reproducibility.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import torch
from torch import Tensor

from nvrc_components.coding.range_coder import Integers
from nvrc_components.entropy_models import masked_conv
from nvrc_components.entropy_models.masked_conv_layout import Layout, Wave
from nvrc_components.entropy_models.masked_conv_network import MaskedConv3dNetwork
from nvrc_components.entropy_models.octree_network import OctreeNetwork

Setting = Callable[[], AbstractContextManager[Any]]
Parts = Callable[[int], Sequence[Sequence[int]]]
"""How a number of blocks is split into batches."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def tf32(enabled: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = enabled
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextmanager
def batches(parts: Parts) -> Iterator[None]:
    """Let context networks see the blocks in these batches, in this order."""
    octree, masked = OctreeNetwork.forward, masked_conv.WavePredictor

    def forward(network: OctreeNetwork, symbols: Tensor, magnitudes: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        batches = columns(symbols.shape[1], network.scale_bias.value.shape[1], parts)
        return joined([octree(network, symbols[:, c], magnitudes[:, c], *rest) for c in batches], batches)

    class Batched:
        """Predictors of the batches in the place of one for all blocks."""

        def __init__(self, network: MaskedConv3dNetwork, layout: Layout, count: int) -> None:
            self.batches = columns(count, network.bias.value.shape[1], parts)
            self.predictors = [masked(network, layout, len(c)) for c in self.batches]

        def put(self, positions: slice, symbols: Integers) -> None:
            for predictor, c in zip(self.predictors, self.batches, strict=True):
                predictor.put(positions, symbols[:, c.numpy()])

        def predict(self, wave: Wave) -> list[Integers]:
            found = [tuple(map(torch.from_numpy, predictor.predict(wave))) for predictor in self.predictors]
            return [result.numpy() for result in joined(found, self.batches)]

    with patch.object(OctreeNetwork, "forward", forward), patch.object(masked_conv, "WavePredictor", Batched):
        yield


def columns(count: int, channels: int, parts: Parts) -> list[Tensor]:
    """Return the columns, channels fastest, of each batch of blocks."""
    blocks = torch.arange(count).view(-1, channels)
    return [blocks[list(part)].flatten() for part in parts(len(blocks))]


def joined(found: Sequence[Sequence[Tensor]], batches: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the batches' results with all columns where they were.

    Shape: tuples of (P, columns of the batch) -> a tuple of (P, all columns).
    """
    place = torch.argsort(torch.cat(list(batches)))
    return tuple(torch.cat(part, 1)[:, place] for part in zip(*found, strict=True))


SETTINGS: Final[dict[str, Setting]] = {
    "one thread": partial(threads, 1),
    "two threads": partial(threads, 2),
    "no mkldnn": partial(torch.backends.mkldnn.flags, enabled=False),
    "float64": partial(default_dtype, torch.float64),
    "bfloat16": partial(default_dtype, torch.bfloat16),
    "float16": partial(default_dtype, torch.float16),
    "bfloat16 products": partial(matmul_precision, "medium"),
    "autocast": partial(torch.autocast, "cpu", dtype=torch.bfloat16),
    "inference mode": torch.inference_mode,
    "denormals as zero": denormals_as_zero,
    "blocks one at a time": partial(batches, lambda count: [[i] for i in range(count)]),
    "blocks in reverse": partial(batches, lambda count: [range(count)[::-1]]),
}
GPU: Final[dict[str, Setting]] = {
    "GPU": partial(tf32, False),
    "GPU, TF32": partial(tf32, True),
}
"""For what is computed on an NVIDIA GPU."""
