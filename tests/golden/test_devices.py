"""What one device encodes another decodes: golden files were made on a CPU."""

import pytest
import torch

from nvrc_components import load
from nvrc_components.bitstream import SectionKind
from nvrc_components.compressed_module import Streams
from tests.golden.hashes import names, of_tensors, path_of, pinned, symbols_of
from tests.golden.settings import GPU

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
DEVICES = pytest.mark.parametrize(
    ("device", "setting"), [("cpu", "GPU"), *(pytest.param("cuda", setting, marks=needs_cuda) for setting in GPU)]
)


def streams_of(video):
    side = next(section.payload for section in video.sections if section.kind == SectionKind.SIDE)
    groups = {section.name: section.payload for section in video.sections if section.kind == SectionKind.GROUP}
    return Streams(side, groups)


@DEVICES
@pytest.mark.parametrize("name", names())
def test_a_device_decodes_what_a_cpu_encoded(name, device, setting):
    video = load(path_of(name))
    compressed = video.compressed.to(device)
    with torch.no_grad():
        for tensor in [*compressed.module.parameters(), *(side.value for side in compressed.side_tensors())]:
            tensor.zero_()
    with GPU[setting]():
        compressed.decompress(streams_of(video))
        assert of_tensors(compressed.module.parameters(), "<f4") == pinned(name)["parameters"]
        assert of_tensors(symbols_of(video), "<i8") == pinned(name)["symbols"]


@DEVICES
@pytest.mark.parametrize("name", names())
def test_a_device_encodes_the_bytes_that_a_cpu_encoded(name, device, setting):
    video = load(path_of(name))
    with GPU[setting]():
        assert video.compressed.to(device).compress() == streams_of(video)
