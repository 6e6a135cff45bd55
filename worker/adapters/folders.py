"""Folders that several processes share, each with a part of its own, which goes with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path


@contextlib.contextmanager
def claim(root: Path) -> Iterator[Path]:
    """An empty part of the folder, for this process alone; it is wiped in the end.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock, folder = claim_part(root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def claim_part(root: Path) -> tuple[int, Path]:
    """Locks the first part of the folder that nobody holds, and wipes every part that nobody holds.

    What processes left behind that ended without a chance to tidy up goes with that.

    Returns:
        The lock's file descriptor, which holds the part until it is closed, and the part.

    Raises:
        OSError: the folder cannot be written to.
    """
    mine: tuple[int, Path] | None = None
    for number in count():
        folder = root / f"worker-{number}"
        path = root / f"worker-{number}.lock"
        if mine is not None and not path.exists():
            return mine
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if folder.exists():
            shutil.rmtree(folder)
        if mine is None:
            folder.mkdir(mode=0o700)
            mine = lock, folder
        else:
            os.close(lock)
    raise AssertionError("counting never ends")
