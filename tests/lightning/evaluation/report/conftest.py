import pytest

from tests.lightning.evaluation.report.benches import add_conventional, add_own, start


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """Two videos: on the first two conventional codecs and ours, on the second x264 alone."""
    folder = tmp_path_factory.mktemp("bench")
    name, pixels = start(folder)
    add_conventional(folder, name, pixels, "x264", (22, 28, 34, 40))
    add_conventional(folder, name, pixels, "x265", (20, 26, 32, 38))
    add_own(folder, name, pixels, (-3, -1))
    name, pixels = start(folder, "10:13")
    add_conventional(folder, name, pixels, "x264", (24, 36))
    return folder
