"""Files with sound checksums that no encoder wrote."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvrc_components.bitstream.container import Section, SectionKind, pack, read_container
from nvrc_components.bitstream.header import Header
from nvrc_components.bitstream.video_file import load
from nvrc_components.errors import BitstreamError
from tests.components.bitstream.helpers import FORMAT


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_forged_sections_with_sound_checksums_load_or_raise_a_bitstream_error(film, damaged, data):
    section = data.draw(st.sampled_from(read_container(film)))
    payload = bytearray(section.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(
            st.integers(0, min(len(payload) - 1, 80) if data.draw(st.booleans()) else len(payload) - 1)
        )
        payload[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload))) if data.draw(st.booleans()) else len(payload)
    path = damaged({section.label: bytes(payload[:cut])})
    try:
        video = load(path)
    except BitstreamError as error:
        message = str(error)
    else:
        message = f"{path}: {next(video.frames()).shape}"
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


@pytest.mark.parametrize("label", ["header", "side", "group:grids", "group:weights"])
def test_a_missing_section_is_named(damaged, label):
    match = f"section '{label}' is missing" if ":" not in label else "names 3 groups of parameters, the file has 2"
    with pytest.raises(BitstreamError, match=match):
        load(damaged({}, drop=[label]))


def forged(film, **changes):
    header = Header.from_bytes(read_container(film)[0].payload)
    return {"header": replace(header, **changes).to_bytes()}


def test_headers_that_contradict_the_sections_are_refused(film, damaged):
    header = Header.from_bytes(read_container(film)[0].payload)
    grids, local, weights = header.groups
    config = list(header.configuration)
    cases = [
        ({"representation": 77}, "representation kind 77 is unknown"),
        ({"configuration": config[:-1]}, "configuration is damaged"),
        ({"configuration": [*config[:3], 0, *config[4:]]}, "configuration is damaged"),
        ({"configuration": [*config[:4], 1, *config[5:]]}, "the header contradicts itself"),
        ({"format": replace(FORMAT, frames=6)}, "the header contradicts itself: a video of 6 frames"),
        ({"format": replace(FORMAT, width=30)}, "the header contradicts itself"),
        ({"groups": (grids, weights)}, "names 2 groups of parameters, the file has 3"),
        ({"groups": (replace(grids, quantizer=9), local, weights)}, "group 'grids' uses quantizer 9"),
        ({"groups": (replace(grids, entropy_model=200), local, weights)}, "entropy model 200"),
        ({"groups": (replace(grids, pattern="none"), local, weights)}, "not the network's"),
        ({"groups": (grids, local, replace(weights, pattern="stem*"))}, "matches none of the group patterns"),
        ({"groups": (replace(grids, pattern="*"), local, weights)}, "for \\(|not a tensor"),
        ({"groups": (replace(grids, quantizer_configuration=()), local, weights)}, "BlockQuantizer"),
        ({"groups": (replace(grids, entropy_configuration=(4, 4, 4, 7, 0)), local, weights)}, "passes is 7"),
        ({"groups": (replace(grids, entropy_configuration=(64, 64, 64, 10, 0)), local, weights)}, "more than 32768"),
        (
            {"groups": (replace(grids, entropy_model=4, entropy_configuration=(33, 32, 32, 8)), local, weights)},
            "more than 32768",
        ),
        (
            {"groups": (replace(grids, entropy_model=4, entropy_configuration=(32768, 1, 1, 8)), local, weights)},
            "waves, more than 1024",
        ),
        ({"groups": (grids, replace(local, quantizer=3, quantizer_configuration=(4, 8, 8)), weights)}, "group|side"),
        ({"groups": (grids, local, replace(weights, quantizer=2, quantizer_configuration=(7,)))}, "DualAxisQuantizer"),
        ({"groups": (grids, local, replace(weights, entropy_model=2, entropy_configuration=(9, 9)))}, "DualAxisGauss"),
    ]
    for changes, message in cases:
        with pytest.raises(BitstreamError, match=message):
            load(damaged(forged(film, **{k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()})))


def test_a_header_that_asks_for_all_memory_is_refused_at_once(film, damaged):
    config = list(Header.from_bytes(read_container(film)[0].payload).configuration)
    config[:3] = [1 << 24, 1 << 16, 1 << 16]
    with pytest.raises(BitstreamError, match="the header asks for"):
        load(damaged(forged(film, configuration=tuple(config))))


def test_a_surplus_section_of_another_kind_is_harmless(film, tmp_path):
    sections = read_container(film)
    (tmp_path / "more.nvrc").write_bytes(pack([*sections, Section(SectionKind.WEIGHTS, b"?")]))
    assert torch.equal(next(load(tmp_path / "more.nvrc").frames()), next(load(film).frames()))
