"""Files that are complete or absent, never half written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: str | Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary neighbour for writing, and rename it to ``path`` when all went well.

    Args:
        path: The file; its folder is made if missing. If the writing fails it stays as it was.
        durable: Wait until the content is on the disk: otherwise a crash of the machine can leave
            the new name on an empty file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name[:200]}.{os.getpid()}.tmp')
    try:
        with open(temporary, 'wb') as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | Path, content: bytes, durable: bool = True) -> Path:
    """Write a whole file, see :func:`replacing`.

    Returns:
        ``path``.
    """
    with replacing(path, durable) as file:
        file.write(content)
    return Path(path)
