"""A program that is told to end unwinds first, so that nothing half-written stays behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "terminate", "unwound"]


class Terminated(KeyboardInterrupt):
    """SIGTERM has come; whatever cleans up after Ctrl-C cleans up after it, too."""


def terminate(number: int, frame: FrameType | None) -> None:
    """Handle the signal.

    Raises:
        Terminated: always.
    """
    raise Terminated


@contextmanager
def unwound() -> Iterator[None]:
    """Run the block so that SIGTERM raises `Terminated` in it, unless something else was to become of the signal."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
