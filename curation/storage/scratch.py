"""Scratch: this process's folder for files on their way to an object store, and the end of those that dead processes left.

Each process holds a lock on a file in its folder; the operating system releases it when the process dies, however it dies. So a folder
with a free lock has no owner, even if containers with their own process numbers share the disk.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

_PREFIX = "curate-scratch-"
_LOCK = ".held"


def scratch() -> Path:
    """Return this process's scratch folder; the first call removes those of dead processes."""
    return _scratch(os.getpid())


@cache
def _scratch(_: int) -> Path:
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    _HELD.append(_hold(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_HELD: list[int | None] = []
"""Open locks of this process: closing one would release it."""


def _hold(folder: Path) -> int | None:
    """Lock a folder and return the open lock; None where another process holds it, or it is being made or removed."""
    try:
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _sweep(place: Path) -> None:
    """Remove the scratch folders of this user's dead processes."""
    for folder in place.glob(f"{_PREFIX}*"):
        if not folder.is_symlink() and (folder / _LOCK).exists() and folder.stat().st_uid == os.getuid():
            lock = _hold(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
