"""The configuration survives a file header, refuses nonsense by name, and its presets grow."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.errors import BitstreamError
from nvrc_components.representations.nvrc_lite import NvrcLite
from nvrc_components.representations.nvrc_lite_config import (
    PRESETS,
    NvrcLiteConfig,
    auto_size,
    nvrc_lite_config,
)
from nvrc_components.representations.registry import NVRC_LITE, build, kind_of

small = st.integers(1, 60)


@st.composite
def configs(draw):
    stages = draw(st.integers(1, 5))

    def series(values):
        return draw(st.tuples(*[values] * stages))

    return NvrcLiteConfig(
        frames=draw(st.integers(1, 10**6)),
        height=draw(st.integers(1, 5000)),
        width=draw(st.integers(1, 5000)),
        widths=series(small),
        depths=series(st.integers(1, 5)),
        strides=series(st.integers(1, 4)),
        expansion=draw(st.integers(1, 6)),
        base_grids=tuple(draw(st.lists(st.tuples(small, small, small), min_size=1, max_size=5))),
        stage_grids=series(st.tuples(st.integers(0, 9), small)),
        local_channels=draw(st.integers(0, 9)),
        local_levels=draw(st.integers(0, 4)),
        shortcut=draw(st.integers(0, 1)),
        out_channels=draw(st.integers(1, 4)),
    )


@given(configs())
def test_integers_round_trip(config):
    ints = config.to_ints()
    assert all(type(value) is int for value in ints)
    assert NvrcLiteConfig.from_ints(ints) == config


@given(configs(), st.data())
def test_a_list_of_another_length_is_refused(config, data):
    ints = config.to_ints()
    cut = data.draw(st.integers(0, len(ints) - 1))
    with pytest.raises(ValueError, match=r"^\w+: "):
        NvrcLiteConfig.from_ints(ints[:cut])
    with pytest.raises(ValueError, match=r"^\w+: "):
        NvrcLiteConfig.from_ints([*ints, 1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frames", 0),
        ("height", 2**17),
        ("width", -1),
        ("expansion", 17),
        ("shortcut", 2),
        ("out_channels", 0),
        ("local_channels", -1),
        ("local_levels", 99),
        ("widths", (96, 48, 24, 0)),
        ("depths", (1, 1, 1)),
        ("strides", (3, 2, 2, 9)),
        ("base_grids", ()),
        ("base_grids", ((4, 1),)),
        ("stage_grids", ((1, 0),) * 4),
        ("stage_grids", ((1, 1),) * 3),
        ("frames", 1.5),
        ("frames", True),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=r"^(\w+)") as caught:
        replace(NvrcLiteConfig(8, 48, 48), **{name: value})
    expected = {"base_grids": ("base_grids", "base_levels")}.get(name, (name,))
    assert str(caught.value).startswith(expected)


def test_the_registry_builds_and_names_the_network():
    config = NvrcLiteConfig(2, 30, 30, widths=(8, 6, 4, 4))
    model = build(NVRC_LITE, config.to_ints())
    assert isinstance(model, NvrcLite)
    assert model.config == config
    assert kind_of(model) == NVRC_LITE


def test_the_registry_refuses_what_it_does_not_know():
    with pytest.raises(BitstreamError, match="kind 77"):
        build(77, [])
    with pytest.raises(BitstreamError, match="frames"):
        build(NVRC_LITE, [0] * 10)
    huge = NvrcLiteConfig(10**6, 4000, 4000, stage_grids=((9, 1),) * 4).to_ints()
    with pytest.raises(BitstreamError, match="the header asks for"):
        build(NVRC_LITE, huge)
    with pytest.raises(BitstreamError, match="Identity"):
        kind_of(torch.nn.Identity())


@given(st.integers(1, 1000), st.integers(1, 2200), st.integers(1, 4000), st.integers(1, 4))
def test_auto_never_shrinks_when_the_clip_grows(frames, height, width, factor):
    order = list(PRESETS)
    assert order.index(auto_size(frames, height, width)) <= order.index(auto_size(frames * factor, height, width))


def test_presets_are_known_by_name():
    assert nvrc_lite_config("auto", 32, 128, 192).widths < nvrc_lite_config("auto", 600, 1080, 1920).widths
    assert nvrc_lite_config("s", 600, 1080, 1920).widths == (96, 48, 24, 12)
    with pytest.raises(ValueError, match="size: 'huge'"):
        nvrc_lite_config("huge", 1, 24, 24)
