"""Numbers in a file keep their meaning: old files decode, newer ones are refused, kinds are not renumbered."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvrc_components import BitstreamError, InputError, MaskedConv3dContext, OctreeContext, load, save
from nvrc_components.bitstream import SectionKind
from nvrc_components.bitstream.container import VERSION, pack, read_container
from nvrc_components.coding.range_coder import LIMIT
from nvrc_components.coding.varint import ByteReader
from nvrc_components.entropy_models import ENTROPY_MODELS
from nvrc_components.quantizers import QUANTIZERS
from nvrc_components.representations.registry import HINERV, KINDS
from tests.golden import make
from tests.golden.hashes import names, path_of, symbols_of
from tests.golden.recipes import FIRST, RECIPES

PINNED_QUANTIZERS = {1: "TensorQuantizer", 2: "DualAxisQuantizer", 3: "BlockQuantizer"}
PINNED_ENTROPY_MODELS = {
    1: "GaussianPrior",
    2: "DualAxisGaussian",
    3: "OctreeContext",
    4: "MaskedConv3dContext",
    5: "ZeroInflatedGaussian",
}
PINNED_REPRESENTATIONS = {1: "NvrcLite", 2: "HiNerv"}


def test_a_greater_version_is_refused_in_one_clear_line(tmp_path):
    data = bytearray(path_of("mixed").read_bytes())
    data[4] = VERSION + 1
    path = tmp_path / "tomorrow.nvrc"
    path.write_bytes(data)
    with pytest.raises(BitstreamError) as error:
        load(path)
    expected = f"made by a newer version {VERSION + 1}; this program reads up to {VERSION}: update it"
    assert str(error.value) == f"{path}: {expected}"


def test_every_version_has_a_golden_file():
    assert {path_of(name).read_bytes()[4] for name in names()} == set(range(1, VERSION + 1))


def test_kinds_keep_their_numbers():
    assert {kind: cls.__name__ for kind, cls in QUANTIZERS.items()} == PINNED_QUANTIZERS
    assert {kind: cls.__name__ for kind, cls in ENTROPY_MODELS.items()} == PINNED_ENTROPY_MODELS
    assert {kind: entry.module.__name__ for kind, entry in KINDS.items()} == PINNED_REPRESENTATIONS
    assert all(cls.kind == kind for kinds in (QUANTIZERS, ENTROPY_MODELS) for kind, cls in kinds.items())


def test_every_kind_is_in_a_golden_file():
    headers = [load(path_of(name)).header for name in names()]
    groups = [group for header in headers for group in header.groups]
    assert {header.representation for header in headers} == set(KINDS)
    networks = [header.configuration for header in headers if header.representation == HINERV]
    assert {version for version, *_ in networks} == {1, 2}
    assert {group.quantizer for group in groups} == set(QUANTIZERS)
    assert {group.entropy_model for group in groups} == set(ENTROPY_MODELS)


def settings_of(module):
    """Return what a quantizer or entropy model was told, by name."""
    return type(module), {name: value for name, value in vars(module).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", names())
def test_the_header_says_what_the_recipe_said(name):
    video, recipe = load(path_of(name)), (FIRST | RECIPES)[name]
    fmt = recipe.format
    assert (video.format, video.header.coded_colour) == (fmt, recipe.colour)
    assert video.compressed.module.config == recipe.config(fmt.frames, fmt.height, fmt.width)
    assert [(g.name, g.pattern) for g in video.compressed.groups] == [(g.name, g.pattern) for g in recipe.groups]
    groups = {group.name: group for group in recipe.groups}
    for codec, tensor in zip(video.compressed.tensor_codecs(), video.compressed.module.parameters(), strict=True):
        group = groups[codec.group]
        assert settings_of(codec.quantizer) == settings_of(group.quantizer(tensor).eval())
        assert settings_of(codec.entropy_model) == settings_of(group.entropy_model(tensor).eval())


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_still_makes_its_file(name, tmp_path):
    recipe, path = RECIPES[name], tmp_path / "made.nvrc"
    save(recipe.network(), recipe.format, path, recipe.colour)
    assert path.read_bytes() == path_of(name).read_bytes()


@pytest.mark.parametrize(
    ("model", "settings", "sizes", "widths"),
    [
        (OctreeContext, (16, 8, 8, 10, -1), (2**14 - 1, 2**14, 2**17 - 1, 2**17), (0, 4, 4, 8)),
        (OctreeContext, (16, 8, 8, 10, -1, 0), (2**14, 2**17), (0, 0)),
        (MaskedConv3dContext, (16, 8, 8, -1), (2**17 - 1, 2**17, 2**20 - 1, 2**20), (0, 4, 4, 8)),
    ],
)
def test_automatic_widths_are_those_pinned(model, settings, sizes, widths):
    found = [model.from_configuration(torch.empty(1, 1, 1, size), settings).network.width for size in sizes]
    assert tuple(found) == widths


@pytest.mark.parametrize("name", names())
def test_every_stream_holds_escapes(name):
    groups = [section for section in load(path_of(name)).sections if section.kind == SectionKind.GROUP]
    assert all(ByteReader(section.payload, name).uvarint("escape length") > 0 for section in groups)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_largest_symbols_are_there(name):
    symbols = torch.cat([tensor.flatten() for tensor in symbols_of(load(path_of(name)))])
    assert (symbols.min(), symbols.max()) == (-LIMIT, LIMIT)


def test_zero_is_what_most_symbols_of_pruned_weights_are():
    symbols = torch.cat([tensor.flatten() for tensor in symbols_of(load(path_of("zero_inflated")))])
    assert 0.5 < float((symbols == 0).float().mean()) < 0.9


def test_making_a_golden_file_does_not_replace_one(tmp_path, monkeypatch):
    path = tmp_path / "gaussian.nvrc"
    path.write_bytes(b"in the world")
    monkeypatch.setattr(make, "path_of", lambda name: path)
    with pytest.raises(InputError, match="already exists"):
        make.make("gaussian", force=False)
    assert path.read_bytes() == b"in the world"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_forged_streams_of_any_kind_load_or_raise_a_bitstream_error(tmp_path, data):
    name = data.draw(st.sampled_from(names()))
    sections = list(read_container(path_of(name)))
    number = data.draw(st.sampled_from([n for n, s in enumerate(sections) if s.kind != SectionKind.HEADER]))
    payload = bytearray(sections[number].payload)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    sections[number] = replace(sections[number], payload=bytes(payload[: data.draw(st.integers(0, len(payload)))]))
    path = tmp_path / "forged.nvrc"
    path.write_bytes(pack(sections))
    try:
        message = f"{path}: {load(path).format.frames}"
    except BitstreamError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
