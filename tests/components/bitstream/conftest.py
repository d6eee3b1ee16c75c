"""A file of a small network, and ways to damage it that checksums do not show."""

from dataclasses import replace

import pytest

from nvrc_components.bitstream.container import pack, read_container
from nvrc_components.bitstream.video_file import save
from tests.components.bitstream.helpers import FORMAT, made


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.nvrc"
    save(made(), FORMAT, path)
    return path


@pytest.fixture
def damaged(film, tmp_path):
    """Return a function that writes the film's sections with some replaced, checksums and all."""

    def write(changes, drop=()):
        sections = [replace(s, payload=changes.get(s.label, s.payload)) for s in read_container(film)]
        path = tmp_path / "damaged.nvrc"
        path.write_bytes(pack(s for s in sections if s.label not in drop))
        return path

    return write
