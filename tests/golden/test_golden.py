"""The golden file means the same under every setting of the machine."""

import hashlib
import json
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import torch

from nvrc_components import coding, load, save
from nvrc_components.bitstream import Header, read_container
from nvrc_components.representations.registry import build
from tests.golden import reference
from tests.golden.make import FILE, FORMAT, HASHES, hashes

TABLES = Path(coding.__file__).parent / "tables.npz"
EXPECTED = json.loads(HASHES.read_text(encoding="utf-8"))


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    yield
    torch.set_default_dtype(before)


@contextmanager
def matmul_precision(name):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    yield
    torch.set_float32_matmul_precision(before)


SETTINGS = {
    "one thread": lambda: threads(1),
    "two threads": lambda: threads(2),
    "no mkldnn": lambda: torch.backends.mkldnn.flags(enabled=False),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16 products": lambda: matmul_precision("medium"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference mode": torch.inference_mode,
}


def test_the_file_is_the_committed_one():
    data = FILE.read_bytes()
    assert len(data) == EXPECTED["bytes"]
    assert hashlib.sha256(data).hexdigest() == EXPECTED["file"]


@pytest.mark.parametrize("name", SETTINGS)
def test_symbols_and_parameters_are_pinned(name):
    with SETTINGS[name]():
        found = hashes(load(FILE).compressed)
    assert found == {"symbols": EXPECTED["symbols"], "parameters": EXPECTED["parameters"]}


def test_encoding_what_was_decoded_gives_the_file_again(tmp_path):
    video = load(FILE)
    assert video.format == FORMAT
    save(video.compressed, FORMAT, tmp_path / "again.nvrc")
    assert (tmp_path / "again.nvrc").read_bytes() == FILE.read_bytes()


def test_the_file_decodes_to_frames():
    frames = list(load(FILE).frames(7))
    assert [frame.shape for frame in frames] == [(1, 3, 50, 45)] * 2


def test_a_decoder_written_from_the_specification_reads_the_same_symbols():
    sections = {section.label: section.payload for section in read_container(FILE)}
    header = Header.from_bytes(sections.pop("header"))
    side, names = sections.pop("side"), list(sections)
    parameters = []
    for name, tensor in build(header.representation, header.configuration).named_parameters():
        number = next(i for i, group in enumerate(header.groups) if fnmatchcase(name, group.pattern))
        group = header.groups[number]
        quantizer, model = group.quantizer, group.entropy_model
        configurations = group.quantizer_configuration, group.entropy_configuration
        parameters.append((tuple(tensor.shape), names[number], quantizer, configurations[0], model, configurations[1]))
    digest = hashlib.sha256()
    for symbols in reference.decode(reference.Tables(TABLES), side, sections, parameters):
        digest.update(np.ascontiguousarray(symbols.astype("<i8")).tobytes())
    assert digest.hexdigest() == EXPECTED["symbols"]
