"""Exclusive claims of shards by independent processes."""

from contextlib import AbstractContextManager
from pathlib import Path

from ..file_lock import exclusive


def claim(path: Path) -> AbstractContextManager[bool]:
    """Try to claim a unit of work exclusively.

    The claim ends with the process that holds it, however that ends, so stale claims do not
    exist. Several machines need a shared file system with locks (NFS 4,
    Lustre with ``flock``).

    Args:
        path: Lock file; created if missing.

    Returns:
        A context manager that yields whether the claim succeeded. If not, another process has it.
    """
    return exclusive(path, wait=False)
