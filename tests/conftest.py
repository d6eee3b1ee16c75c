"""What all tests share."""

import os

from hypothesis import settings

# Processes of pytest-xdist share the cores, and so do the programs that their tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A loaded machine is slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
