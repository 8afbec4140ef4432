"""File locks of the operating system, on Linux, macOS and Windows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor


@contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[bool]:
    """Lock a file exclusively.

    The operating system holds the lock: it ends with the process that holds it, however that ends.
    Not ``filelock.FileLock``: on a file system without locks it creates marker files, which
    a killed process never removes.

    Args:
        path: Lock file; created if missing, and kept.
        wait: Whether to wait for the lock instead of giving up at once.

    Yields:
        Whether the lock was acquired; always true with ``wait``.

    Raises:
        OSError: If the file cannot be opened, or its file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        mine = lock_descriptor(descriptor, blocking=wait)
        try:
            yield mine
        finally:
            if mine:
                unlock_descriptor(descriptor)
    finally:
        os.close(descriptor)
