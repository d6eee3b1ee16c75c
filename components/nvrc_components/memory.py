"""How much memory there is, for whoever is about to ask for a lot."""

import math
import os
from pathlib import Path
from typing import Final

_GROUP_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_memory() -> float:
    """Return the bytes of memory that this process may hold at most; infinite where the system does not tell."""
    return min([_physical(), *map(_group_limit, _GROUP_LIMITS)])


def _physical() -> float:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # not on Windows, not known here, not told
        return math.inf


def _group_limit(path: str) -> float:
    """Return what a container's limit says."""
    try:
        return float(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such limit, or "max"
        return math.inf
