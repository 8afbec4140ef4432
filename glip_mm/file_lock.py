"""File locks of the operating system, on Linux, macOS and Windows."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from glip_mm.atomic_files import naming_errors, remove_all_temporary


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


class FolderInUse(OSError):
    """Another process writes into a folder."""


#: Locked folder -> descriptor of its lock, in this process.
_held: dict[Path, int] = {}
#: Names of a process's number in its job, as launchers tell it before PyTorch does.
_RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


@contextmanager
def writing_into(folder: str | Path, launcher: str = 'none') -> Iterator[None]:
    """Keep other jobs from writing into a folder, until the end of the block or of the process.

    Two tests in one work directory would score each other's predictions, and two trainings replace
    each other's checkpoints. The first process of a job holds the lock for all. A block inside a
    block for the same folder has no effect. Temporary files that a killed job left are deleted.

    Args:
        folder: Work directory; created if missing.
        launcher: What started the processes of the job; ``'none'``: this process is the job.

    Raises:
        FolderInUse: If another process has the lock; the message says which.
        OSError: If the folder cannot be written.
    """
    path = Path(folder).resolve() / '.lock'
    if path in _held or os.environ.get(_RANKS.get(launcher, ''), '0') != '0':
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _held[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with naming_errors(folder):
            _claim(descriptor, folder)
            remove_all_temporary(path.parent, path.name)
            yield
    finally:
        if _held.pop(path, None) is not None:  # a forked child has none
            os.close(descriptor)  # which releases the lock


def _claim(descriptor: int, folder: str | Path) -> None:
    try:
        mine = lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        print(f"WARNING: the file system of '{folder}' has no locks ({error.strerror}): nothing "
              'keeps another process from writing into it', file=sys.stderr)
        return
    if not mine:
        raise FolderInUse(f"'{folder}' is in use by {_owner(descriptor)}: wait for its end, or "
                          'give another --work-dir')
    owner = dict(pid=os.getpid(), host=socket.gethostname(),
                 since=time.strftime('%Y-%m-%d %H:%M:%S'))
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(owner).encode())


def _owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.read(descriptor, 4096))
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just begun
        return 'another process'


def _close_in_child() -> None:
    # a loader's worker that outlives its killed parent for seconds must not hold the lock
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_close_in_child)
