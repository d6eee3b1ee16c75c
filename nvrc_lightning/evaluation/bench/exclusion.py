"""One sweep at a time in one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nvrc_components.errors import InputError

__all__ = ["sole_use"]

_LOCK = ".lock"


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder; the system ends this with the process, however that ends.

    Raises:
        InputError: another sweep is at work in it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such lock; there nobody is kept out
        yield
        return
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"{folder}: another sweep is at work in it; wait for it or choose another folder"
            ) from None
        yield
