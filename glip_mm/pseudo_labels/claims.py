"""One worker a shard, also among processes that know nothing of each other."""

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Try to be the only one who works on something.

    The claim is a lock of the operating system: it ends with the process that holds it, however
    that ends, so nobody has to find out whether its owner still lives. Several machines need a
    shared file system with locks (NFS 4, Lustre with ``flock``).

    Args:
        path: File that stands for it; made if missing.

    Yields:
        Whether it is ours. If not, another process works on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
