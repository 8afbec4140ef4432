"""One worker a shard, also among processes that know nothing of each other."""

from contextlib import AbstractContextManager
from pathlib import Path

from ..file_lock import exclusive


def claim(path: Path) -> AbstractContextManager[bool]:
    """Try to be the only one who works on something.

    The claim ends with the process that holds it, however that ends, so nobody has to find out
    whether its owner still lives. Several machines need a shared file system with locks (NFS 4,
    Lustre with ``flock``).

    Args:
        path: File that stands for it; made if missing.

    Returns:
        A context: whether it is ours. If not, another process works on it.
    """
    return exclusive(path, wait=False)
