"""NVRC's training steps without a trainer, for benchmarks: quantise, render, loss, backward, clip, Adam."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, MaskedConv3dContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, SoftRoundKumaraswamy, TensorQuantizer
from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.patches import Region
from nvrc_lightning.modules.compilation import compiled_call
from nvrc_lightning.modules.losses import RgbDistortion
from nvrc_lightning.modules.rendering import crops, render_patches

GROUPS = (  # those of recipes/nvrc.yaml
    Group("grids", "*features.grid", BlockQuantizer, MaskedConv3dContext),
    Group("biases", "*bias", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
)


@dataclass(frozen=True)
class Batch:
    """Frames, or one patch of each, and their pixels.

    Shape: `frames` (B,), `target` (B, 3, h, w) in [0, 1].
    """

    frames: Tensor
    region: Region | None
    target: Tensor


class Trainee:
    """A network in NVRC's first stage of training.

    Args:
        config: shape of the network.
        device: where it is trained.
        half: bf16 autocast for the network's layers.
        compiled: whether the network's part of a step is compiled.
    """

    def __init__(self, config: HiNervConfig, device: str = "cpu", half: bool = False, compiled: bool = False) -> None:
        torch.manual_seed(0)
        self.device = torch.device(device)
        self.network = HiNerv(config)
        self.model = CompressedModule(self.network, GROUPS, SoftRoundKumaraswamy()).to(self.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=2e-3, fused=True)
        self.distortion = RgbDistortion()
        self.half = half
        self.call = compiled_call() if compiled else functional_call

    def distortion_step(self, batch: Batch) -> None:
        """Take a step on the distortion of a batch."""
        context = torch.autocast(self.device.type, torch.bfloat16) if self.half else nullcontext()
        with context:
            quantized = self.model.quantized(self.network.windows(batch.frames))
            loss = self.distortion(self._pictures(quantized, batch), batch.target)
        self._step(loss)

    def _pictures(self, quantized: dict[str, Tensor], batch: Batch) -> Tensor:
        def call(frames: Tensor, region: Region | None) -> Tensor:
            pictures: Tensor = self.call(self.network, quantized, (frames, region))
            return pictures

        if batch.region is None:
            return call(batch.frames, None)
        return render_patches(call, self.network, batch.frames, batch.region)

    @torch.no_grad()
    def operations(self, batch: Batch) -> int:
        """Return the multiply-accumulates of rendering a batch; those of a step are three times as many."""
        quantized = self.model.quantized(self.network.windows(batch.frames))
        with FlopCounterMode(display=False) as counter:
            self._pictures(quantized, batch)
        return counter.get_total_flops() // 2

    def rate_step(self) -> None:
        """Take a step on the bits of all parameters."""
        self._step(torch.stack(list(self.model.bits().values())).sum())

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()


def whole(frame: int, video: Tensor) -> Batch:
    """Return a whole frame of a video.

    Shape: `video` (T, 3, H, W) in [0, 1].
    """
    return Batch(torch.tensor([frame], device=video.device), None, video[frame : frame + 1])


def patches(frames: Tensor, tops: Tensor, lefts: Tensor, side: int, video: Tensor) -> Batch:
    """Return square patches of frames of a video.

    Shape: `frames`, `tops`, `lefts` (B,), `video` (T, 3, H, W) in [0, 1].
    """
    target = crops(video, torch.stack([frames, tops, lefts], 1), side, side)
    frames, tops, lefts = (x.to(video.device) for x in (frames, tops, lefts))
    return Batch(frames, Region(side, side, tops, lefts), target)


def tiles(height: int, width: int, side: int) -> tuple[Tensor, Tensor]:
    """Return tops and lefts of the patches that tile a frame.

    Shape: (B,) twice.
    """
    tops, lefts = torch.meshgrid(torch.arange(0, height, side), torch.arange(0, width, side), indexing="ij")
    return tops.flatten(), lefts.flatten()


def cpu_seconds(step: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return median and least CPU time of a call over all threads, after two to warm up."""
    times = [_timed(step, time.process_time) for _ in range(repeats + 2)][2:]
    return statistics.median(times), min(times)


def gpu_seconds(step: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call on the current GPU, after two to warm up."""

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return statistics.median([_timed(step, clock) for _ in range(repeats + 2)][2:])


def _timed(step: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    step()
    return clock() - start


def top_operators(step: Callable[[], object], repeats: int, count: int, device: str = "cpu") -> list[tuple[str, float]]:
    """Return the operators that take most of a device's time by themselves, and their shares of it."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as profiler:
        for _ in range(repeats):
            step()
    attribute = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    times = {event.key: getattr(event, attribute) for event in profiler.key_averages()}
    total = sum(times.values())
    ranked = sorted(times, key=lambda name: times[name], reverse=True)
    return [(name, times[name] / total) for name in ranked[:count]]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)]
