"""Locks of the operating system, on Linux, macOS and Windows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor


@contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[bool]:
    """Be the only one who holds a file.

    The lock is the operating system's: it ends with the process that holds it, however that ends.
    Not ``filelock.FileLock``: where a file system has no locks that one leaves marker files
    behind, which a killed process never takes away.

    Args:
        path: File that stands for what is locked; made if missing, and left there.
        wait: Wait for it; else give up at once.

    Yields:
        Whether it is ours; always if ``wait``.

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
