"""Compiled entropy models read golden files, and write them, as plain ones do; these two hold all that is PyTorch's."""

import pytest

from tests.golden.compiled import BACKEND, compiled
from tests.golden.hashes import found, pinned


@pytest.mark.slow
@pytest.mark.parametrize("backend", [BACKEND])
@pytest.mark.parametrize("name", ["octree_10", "zero_inflated"])
def test_files_mean_the_same_compiled(name, backend):
    with compiled() as graphs:
        assert found(name) == pinned(name)
        assert graphs() > 0
