"""A decoder written from docs/bitstream.md, in plain integers, reads the same numbers from every golden file."""

import hashlib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from nvrc_components import coding
from nvrc_components.bitstream import Header, read_container
from nvrc_components.representations.registry import build
from tests.golden import reference
from tests.golden.hashes import names, path_of, pinned

TABLES = Path(coding.__file__).parent / "tables.npz"


@pytest.mark.parametrize("name", names())
def test_it_reads_what_is_pinned(name):
    sections = {section.label: section.payload for section in read_container(path_of(name))}
    header = Header.from_bytes(sections.pop("header"))
    side, groups = sections.pop("side"), list(sections)
    parameters = []
    for parameter, tensor in build(header.representation, header.configuration).named_parameters():
        number = next(i for i, group in enumerate(header.groups) if fnmatchcase(parameter, group.pattern))
        group = header.groups[number]
        quantizer, model = group.quantizer, group.entropy_model
        configurations = group.quantizer_configuration, group.entropy_configuration
        parameters.append((tuple(tensor.shape), groups[number], quantizer, configurations[0], model, configurations[1]))
    digests = [hashlib.sha256(), hashlib.sha256()]
    for tensors in reference.decode(reference.Tables(TABLES), side, sections, parameters):
        for digest, tensor in zip(digests, tensors, strict=True):
            digest.update(tensor.tobytes())
    assert [digest.hexdigest() for digest in digests] == [pinned(name)["symbols"], pinned(name)["parameters"]]
