"""What a representation costs: parameters, and multiply-accumulates for each source pixel, part by part."""

from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nvrc_components.representations.grids import TemporalGrid
from nvrc_components.representations.representation import Representation


class PartComplexity(NamedTuple):
    """One part of a network.

    Attributes:
        name: ``stem``, ``stages.0`` and so on, ``head``, ``grids`` (all feature and local grids), ``total``.
        parameters: Numbers stored.
        macs_per_pixel: Multiply-accumulates for rendering one frame, over the frame's pixels. Grids are read,
            not multiplied; norms, activations and interpolation are not counted, as is usual.
        published_macs_per_pixel: The same as the tables of papers count: HiNeRV's stem over whole base grids, which
            is needed once for all frames, is charged to each.
    """

    name: str
    parameters: int
    macs_per_pixel: float
    published_macs_per_pixel: float


def complexity(model: Representation) -> list[PartComplexity]:
    """Counts one frame rendered whole, on the device the network is on.

    The stem is charged to every frame as a decoder runs it: for the slices of the base grids around that frame.

    Returns:
        The parts in the order of computation, then ``grids`` and ``total``.
    """
    names = ["stem", *(f"stages.{i}" for i in range(len(model.stages))), "head"]
    flops = _flops(model, names)
    pixels = model.config.height * model.config.width
    stored = dict.fromkeys([*names, "grids"], 0)
    grids = {f"{name}.grid" for name, module in model.named_modules() if isinstance(module, TemporalGrid)}
    for name, parameter in model.named_parameters():
        part = "grids" if name in grids else next(part for part in names if name.startswith(f"{part}."))
        stored[part] += parameter.numel()
    macs = {name: count / 2 for name, count in flops.items()}
    published = {**macs, "stem": model.stem.published_macs(macs["stem"])}
    parts = [PartComplexity(name, stored[name], macs[name] / pixels, published[name] / pixels) for name in names]
    parts.append(PartComplexity("grids", stored["grids"], 0.0, 0.0))
    _, parameters, *totals = zip(*parts, strict=True)
    return [*parts, PartComplexity("total", sum(parameters), *map(sum, totals))]


def _flops(model: nn.Module, names: list[str]) -> dict[str, int]:
    first = torch.zeros(1, dtype=torch.int64, device=next(model.parameters()).device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(first)
    counts = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    prefix = type(model).__name__
    inner = {name: counts.get(f"{prefix}.{name}", 0) for name in names}
    # the head's weight is applied by the network itself: what no other part did is the head's
    inner["head"] = counts["Global"] - sum(inner.values())
    return inner
