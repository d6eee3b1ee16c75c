"""What all tests share."""

import os

import pytest
from hypothesis import settings

# Processes of pytest-xdist share the cores, and so do the programs that their tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A loaded machine is slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a file together, for they share what is slow to make."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)
