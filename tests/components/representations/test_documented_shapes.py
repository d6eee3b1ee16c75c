"""NVRC-Lite's parameters are those that docs/bitstream.md lists, in that order."""

from dataclasses import replace
from itertools import pairwise
from math import ceil, prod

import pytest
import torch

from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig

CONFIG = NvrcLiteConfig(
    7, 31, 43, (8, 6, 4), (2, 1, 1), (3, 2, 2), 2, ((3, 1, 1), (2, 2, 2)), ((2, 3), (0, 1), (1, 4)), 3, 2
)


def documented(ints):
    frames, height, width, e, out, shortcut, channels, levels, n, m, *rest = ints
    w, depths, s = rest[:n], rest[n : 2 * n], rest[2 * n : 3 * n]
    pairs, base = rest[3 * n : 5 * n], rest[5 * n :]
    tables = []
    for number in range(m):
        c, time, space = base[3 * number : 3 * number + 3]
        size = [ceil(ceil(side / prod(s)) / space) for side in (height, width)]
        level = f"stem.levels.{number}"
        tables += [(f"{level}.features.grid", (ceil(frames / time), c, *size))]
        tables += [(f"{level}.conv.weight", (w[0], c, 3, 3)), (f"{level}.conv.bias", (w[0],))]
    tables += [("stem.temporal.weight", (w[0], w[0], 3)), ("stem.temporal.bias", (w[0],))]
    for i, v in enumerate([w[0], *w[:-1]]):
        local = [max(1, channels >> i) << level for level in range(levels if channels else 0)]
        for level, c in enumerate(local):
            tables.append((f"stages.{i}.local.levels.{level}.grid", (ceil(frames / 2**level), s[i], s[i], c)))
        tables += [(f"stages.{i}.local.project.weight", (v, sum(local)))] * bool(local)
        g, divisor = pairs[2 * i : 2 * i + 2]
        size = [ceil(side / prod(s[i + 1 :])) for side in (height, width)]
        if g:
            tables.append((f"stages.{i}.features.grid", (ceil(frames / divisor), g, *size)))
            tables.append((f"stages.{i}.inject.weight", (v, g)))
        for b, (c, after) in enumerate(pairwise([v, *[w[i]] * depths[i]])):
            block = f"stages.{i}.blocks.{b}"
            tables += [(f"{block}.depthwise.weight", (c, 1, 3, 3)), (f"{block}.expand.weight", (e * after, c))]
            tables += [(f"{block}.project.weight", (after, e * after))]
            tables += [(f"{block}.shortcut.weight", (after, c))] * (shortcut and c != after)
    return [*tables, ("head.weight", (out, w[-1])), ("head.bias", (out,))]


@pytest.mark.parametrize("changes", [{}, {"local_channels": 0}, {"local_levels": 0}, {"shortcut": 0}])
def test_names_shapes_and_order_are_those_of_the_page(changes):
    config = replace(CONFIG, **changes)
    with torch.device("meta"):
        named = [(name, tuple(parameter.shape)) for name, parameter in NvrcLite(config).named_parameters()]
    assert named == documented(config.to_ints())
