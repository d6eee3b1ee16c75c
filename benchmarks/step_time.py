"""Seconds of a training step of NVRC-Lite: distortion step (quantise, render, loss, backward) and rate step.

python benchmarks/step_time.py --size s --height 272 --width 480 --frames 64 --threads 2
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, SoftRoundKumaraswamy, TensorQuantizer
from nvrc_components.representations.nvrc_lite import NvrcLite, nvrc_lite_config
from nvrc_lightning.host_memory import keep_freed_memory
from nvrc_lightning.modules.losses import RgbDistortion

GROUPS = (
    Group("grids", "*features.grid", BlockQuantizer, OctreeContext),
    Group("biases", "*bias", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
)


def median_seconds(step: Callable[[], object], repeats: int) -> float:
    """Return the median wall time of a call, after two to warm up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def main() -> None:
    """Measure and print one line of each kind of step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="s")
    parser.add_argument("--height", type=int, default=272)
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    network = NvrcLite(nvrc_lite_config(options.size, options.frames, options.height, options.width))
    model = CompressedModule(network, GROUPS, SoftRoundKumaraswamy())
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    distortion, frame = RgbDistortion(), torch.tensor([options.frames // 2])
    target: Tensor = torch.rand(1, 3, options.height, options.width)

    def take(loss: Callable[[], Tensor]) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(loss())
        optimizer.step()

    def distort() -> Tensor:
        result: Tensor = distortion(model(frame, windows=network.windows(frame)), target)
        return result

    seconds = median_seconds(lambda: take(distort), options.repeats)
    rate = median_seconds(lambda: take(lambda: torch.stack(list(model.bits().values())).sum()), options.repeats)
    where = f"{options.size} {options.width}x{options.height}, {options.threads} threads, torch {torch.__version__}"
    print(f"{where}, {platform.machine()}: distortion step {seconds:.3f} s/frame, rate step {rate:.3f} s")


if __name__ == "__main__":
    main()
