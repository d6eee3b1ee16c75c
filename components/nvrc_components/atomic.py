"""Outputs appear whole or not at all: write beside, flush to the disk, then rename."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nvrc_components.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG}


@contextmanager
def atomic_path(path: str | os.PathLike[str], force: bool = False, folder: bool = False) -> Iterator[Path]:
    """Give a place to write to that becomes `path` when the block ends well and vanishes when it does not.

    The place lies in the same directory and keeps the suffix, so libraries that judge by the suffix work.
    A symbolic link is followed. An existing folder is replaced only if it holds nothing but files of the
    kinds now written.

    Args:
        path: the output.
        force: replace what exists.
        folder: the output is a folder; an empty one is handed out.

    Yields:
        An empty file or folder to fill.

    Raises:
        InputError: the output exists and `force` is not set, its directory is missing, or it cannot be
            written (permission, space, size limit).
    """
    shown, target = Path(path), Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem[:100]}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        with _explain(shown, _DENIED | _FULL):
            _check_target(target, shown, force, folder)
            _create(temporary, folder)
        with _explain(shown, _FULL):  # a denial in here may come from whatever else the block reads
            yield temporary
        with _explain(shown, _DENIED | _FULL):
            _flush(temporary)
            _check_target(target, shown, force, folder)
            _publish(temporary, target, folder)
    finally:
        _remove(temporary)


@contextmanager
def _explain(shown: Path, errnos: set[int]) -> Iterator[None]:
    """Turn the system's refusals into one line about the output."""
    try:
        yield
    except OSError as error:
        if error.errno not in errnos:
            raise
        raise InputError(f"{shown}: cannot be written ({error.strerror}); choose another output") from error


def _check_target(target: Path, shown: Path, force: bool, folder: bool) -> None:
    """Refuse outputs that exist, that are not what is written, or that have nowhere to lie."""
    if not target.parent.is_dir():
        raise InputError(f"{shown}: the folder {shown.parent} does not exist; create it first")
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    expected = stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)
    if not expected:
        kind = "a folder" if folder else "a regular file"
        raise InputError(f"{shown}: exists and is not {kind}; choose another output")
    if not force and not (folder and not any(target.iterdir())):
        raise InputError(f"{shown}: already exists; choose another output or overwrite it with --force")


def _create(temporary: Path, folder: bool) -> None:
    """Make the empty place with the permissions any new file or folder gets."""
    if folder:
        temporary.mkdir()
    else:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _flush(path: Path) -> None:
    """Force a file, or a folder and all in it, onto the disk."""
    for entry in path.iterdir() if path.is_dir() else ():
        _flush(entry)
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(PermissionError):  # some systems refuse to flush a folder
            os.fsync(handle)
    finally:
        os.close(handle)


def _publish(temporary: Path, target: Path, folder: bool) -> None:
    """Rename into place; an old folder steps aside first because folders cannot be replaced in one rename."""
    if not (folder and target.exists()):
        temporary.replace(target)
        return
    kinds = {entry.suffix for entry in temporary.iterdir()}
    strangers = [entry.name for entry in target.iterdir() if entry.is_dir() or entry.suffix not in kinds]
    if strangers:
        raise InputError(f"{target}: not replaced, it also holds {strangers[0]}; choose another output")
    aside = temporary.with_suffix(".old")
    target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside)


def _remove(temporary: Path) -> None:
    """Leave nothing half-written behind; a no-op after a rename."""
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink()
