"""The compiled call of a network, whose grids are cut to the slices that a batch touches."""

from functools import partial

import torch
from torch.func import functional_call

from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.patches import Region
from nvrc_lightning.modules.compilation import compiled_call

CONFIG = HiNervConfig(60, 96, 96, grid_slices=20, grid_levels=2, local_levels=2, widths=(8, 8, 4, 4), depths=(1,) * 4)


def test_batches_of_any_frames_are_compiled_a_few_times_only(monkeypatch):
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    torch._dynamo.reset()
    network, call = HiNerv(CONFIG), compiled_call()
    sizes = set()
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        frames = torch.randint(60, (12,), generator=generator)
        tops, lefts = 48 * torch.randint(2, (2, 12), generator=generator)
        kept = {name: list(window) for name, window in network.windows(frames).items()}
        sizes.add(tuple(map(len, kept.values())))
        cut = {name: p[kept[name]] if name in kept else p for name, p in network.named_parameters()}
        arguments = (network, cut, (frames, Region(48, 48, tops, lefts)))
        torch.testing.assert_close(call(*arguments), functional_call(*arguments))
    assert 0 < len(graphs) < 6 < len(sizes)
