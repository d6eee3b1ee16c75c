"""Golden files mean the same under every setting, on every processor."""

import json
from unittest.mock import patch

import pytest
import torch

from nvrc_components import load
from nvrc_components.entropy_models import masked_conv
from nvrc_components.entropy_models.octree_network import OctreeNetwork
from tests.golden.hashes import found, names, of_file, path_of, pinned
from tests.golden.processors import fingerprint, numpy_features, processors, run
from tests.golden.settings import SETTINGS


@pytest.mark.parametrize("name", names())
def test_a_file_is_the_committed_one(name):
    assert of_file(path_of(name).read_bytes()).items() <= pinned(name).items()


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", names())
def test_symbols_parameters_and_the_file_written_again_are_pinned(name, setting):
    with SETTINGS[setting]():
        assert found(name) == pinned(name)


@pytest.mark.parametrize(("setting", "blocks"), [("one thread", 9), ("blocks one at a time", 1)])
def test_the_octree_sees_as_many_blocks_as_the_setting_says(setting, blocks):
    forward, seen = OctreeNetwork.forward, set()

    def spy(network, symbols, magnitudes, phase, weights):
        seen.add(symbols.shape[1] // weights.bias.shape[1])
        return forward(network, symbols, magnitudes, phase, weights)

    with patch.object(OctreeNetwork, "forward", spy), SETTINGS[setting]():
        load(path_of("octree_4"))
    assert max(seen) == blocks


@pytest.mark.parametrize(("setting", "blocks"), [("one thread", 15), ("blocks one at a time", 1)])
def test_masked_convolutions_see_as_many_blocks_as_the_setting_says(setting, blocks):
    predictor, seen = masked_conv.WavePredictor, set()

    def spy(network, layout, columns):
        seen.add(columns // network.bias.value.shape[1])
        return predictor(network, layout, columns)

    with patch.object(masked_conv, "WavePredictor", spy), SETTINGS[setting]():
        load(path_of("masked_conv"))
    assert max(seen) == blocks


@pytest.mark.parametrize("name", names())
def test_a_file_decodes_to_frames(name):
    video = load(path_of(name))
    luma = next(video.frames(video.format.frames - 1))[0]
    assert luma.shape[-2:] == (video.format.height, video.format.width)


LIBRARIES = ("one thread", "no mkldnn")
"""Settings that choose between libraries; benchmarks/reproducibility.py takes all of them."""


@pytest.fixture(scope="module", params=processors())
def lesser(request):
    """Return the variables that make this a lesser processor, and a fresh process' report under them."""
    variables = processors()[request.param]
    return variables, json.loads(run(["-m", "tests.golden.report", *LIBRARIES], variables))


@pytest.mark.slow
def test_a_lesser_processor_runs_other_code(lesser):
    variables, report = lesser
    stripped = variables["NPY_DISABLE_CPU_FEATURES"].split()
    assert not any(report["machine"]["numpy"][name] for name in stripped)
    assert report["machine"]["torch"] == variables["ATEN_CPU_CAPABILITY"].upper()
    ours, theirs = fingerprint(), report["machine"]["floats"]
    if numpy_features().get("FMA3") or torch.backends.cpu.get_cpu_capability() == "AVX512":
        assert theirs != ours
    _, numpy_differs, torch_differs = (a != b for a, b in zip(theirs.split(), ours.split(), strict=True))
    assert numpy_differs or not stripped
    assert torch_differs or torch.backends.cpu.get_cpu_capability() == variables["ATEN_CPU_CAPABILITY"].upper()


@pytest.mark.slow
def test_files_mean_the_same_on_a_lesser_processor(lesser):
    _, report = lesser
    assert report["hashes"] == {setting: {name: pinned(name) for name in names()} for setting in LIBRARIES}
