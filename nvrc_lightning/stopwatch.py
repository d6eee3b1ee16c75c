"""When the command in hand began, from where a target time counts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["command", "now", "seconds_so_far"]

_began: ContextVar[float] = ContextVar("began")


def now() -> float:
    """Return seconds on a clock that only moves forward."""
    return time.monotonic()


@contextmanager
def command() -> Iterator[None]:
    """Run the block as a command that begins here, unless it is part of one that has begun already."""
    token = _began.set(_began.get(now()))
    try:
        yield
    finally:
        _began.reset(token)


def seconds_so_far() -> float:
    """Return how long the command runs already; 0 outside of one."""
    here = now()
    return here - _began.get(here)
