"""HiNeRV's configuration survives a file header and refuses nonsense by name; its presets grow."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.errors import BitstreamError
from nvrc_components.representations.hinerv import HiNerv
from nvrc_components.representations.hinerv_config import LIMITS, SCALARS, HiNervConfig
from nvrc_components.representations.hinerv_presets import AUTO, NVRC, ORIGINAL, PRESETS, auto_size, hinerv_config
from nvrc_components.representations.registry import HINERV, build, kind_of, plan


@st.composite
def configs(draw):
    def number(name):
        return st.integers(*LIMITS[name])

    stages = draw(st.integers(1, 5))
    series = {name: draw(st.tuples(*[number(name)] * stages)) for name in ("widths", "depths", "strides", "expansion")}
    return HiNervConfig(**{name: draw(number(name)) for name in SCALARS}, **series)


@given(configs())
def test_integers_round_trip(config):
    ints = config.to_ints()
    assert all(type(value) is int for value in ints)
    assert HiNervConfig.from_ints(ints) == config


@given(configs(), st.data())
def test_a_list_of_another_length_is_refused(config, data):
    ints = config.to_ints()
    cut = data.draw(st.integers(0, len(ints) - 1))
    with pytest.raises(ValueError, match=r"^\w+: "):
        HiNervConfig.from_ints(ints[:cut])
    with pytest.raises(ValueError, match=r"^\w+: "):
        HiNervConfig.from_ints([*ints, 1])


@given(configs(), st.sampled_from(SCALARS), st.booleans())
def test_a_number_out_of_range_is_refused_by_name(config, name, above):
    low, high = LIMITS[name]
    with pytest.raises(ValueError, match=f"^{name}: "):
        replace(config, **{name: high + 1 if above else low - 1})
    ints = config.to_ints()
    ints[SCALARS.index(name)] = high + 1 if above else low - 1
    with pytest.raises(ValueError, match=f"^{name}: "):
        HiNervConfig.from_ints(ints)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("widths", (96, 48, 24, 0)),
        ("depths", (1, 1, 1)),
        ("strides", (3, 2, 2, 9)),
        ("expansion", (4, 4, 4, 17)),
        ("expansion", (4,) * 5),
        ("frames", 1.5),
        ("version", True),
    ],
)
def test_a_field_of_another_length_or_type_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        replace(HiNervConfig(8, 48, 48, 4), **{name: value})


@pytest.mark.parametrize("version", [ORIGINAL, NVRC])
def test_the_registry_builds_and_names_the_network(version):
    config = replace(hinerv_config("auto", 2, 30, 30, version), widths=(8, 6, 4, 4))
    model = build(HINERV, config.to_ints())
    assert isinstance(model, HiNerv)
    assert model.config == config
    assert kind_of(model) == HINERV


def test_the_registry_refuses_networks_too_large_to_be_meant():
    huge = replace(hinerv_config("s4", 10**5, 1080, 1920), grid_slices=10**5)
    with pytest.raises(BitstreamError, match="the header asks for"):
        build(HINERV, huge.to_ints())
    beyond = HiNervConfig(2**24, 2**16, 2**16, 2**24, 1024, grid_levels=8, strides=(1, 1, 1, 1))
    with pytest.raises(BitstreamError, match="the header asks for"):
        build(HINERV, beyond.to_ints())


def test_the_largest_published_network_at_1080p_can_be_decoded():
    model = plan(HINERV, hinerv_config("xxl", 600, 1080, 1920).to_ints())
    assert sum(parameter.numel() for parameter in model.parameters()) > 60e6


@pytest.mark.parametrize("version", [ORIGINAL, NVRC])
@given(st.integers(1, 1000), st.integers(1, 2200), st.integers(1, 4000), st.integers(1, 4))
def test_auto_never_shrinks_when_the_clip_grows(version, frames, height, width, factor):
    order = [name for _, name in AUTO[version]]
    small, large = (auto_size(frames * times, height, width, version) for times in (1, factor))
    assert order.index(small) <= order.index(large)


@pytest.mark.parametrize(
    "clip", [(32, 128, 192), (64, 272, 480), (132, 720, 1280), (150, 1080, 1920), (500, 1080, 1920), (600, 1080, 1920)]
)
@pytest.mark.parametrize("version", [ORIGINAL, NVRC])
def test_auto_spends_a_twentieth_of_a_bit_a_pixel_at_four_bits_a_parameter_if_a_size_is_small_enough(version, clip):
    frames, height, width = clip
    name = auto_size(*clip, version)
    with torch.device("meta"):
        model = HiNerv(hinerv_config(name, *clip, version))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert name == AUTO[version][0][1] or 4 * parameters < 0.05 * frames * height * width


def test_presets_are_known_by_name_and_version():
    assert hinerv_config("s2", 600, 1080, 1920).widths == (336, 168, 84, 42)
    assert hinerv_config("xl", 600, 1080, 1920, ORIGINAL).depths == (4, 4, 4, 1)
    assert hinerv_config("mcl-l", 150, 1080, 1920, ORIGINAL).widths == (560, 280, 140, 70)
    assert hinerv_config("s2", 150, 1080, 1920).grid_slices == 50
    assert hinerv_config("w32", 1, 10, 10).grid_slices == 1
    assert all(name in PRESETS[version] for version, steps in AUTO.items() for _, name in steps)
    with pytest.raises(ValueError, match=r"size: 's2' is not one of auto, .* \(version 1\)"):
        hinerv_config("s2", 600, 1080, 1920, ORIGINAL)
    with pytest.raises(ValueError, match="version: 3"):
        hinerv_config("s2", 600, 1080, 1920, 3)
