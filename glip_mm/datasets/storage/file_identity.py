"""Identity of files: what must be equal for a result that was made from them to be used again.

A base name is none: every Roboflow export has a ``_annotations.coco.json``. Nor is everything in a
file: reading it would cost more than the result. The place, the size, the time of the last change
and a digest of both ends are read in some 50 microseconds, whatever the size of the file.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

#: Bytes at each end of a file that are read.
END = 4096


class FileIdentity(NamedTuple):
    """What tells a file from another, or from what it was before."""

    path: str
    size: int
    #: Time of the last change, in nanoseconds.
    time: int
    #: Digest of the first and the last :data:`END` bytes.
    digest: str


def place(path: str | Path, folder: str | Path | None = None) -> str:
    """Return the path of a file with all links resolved.

    Args:
        path: Path of the file.
        folder: Folder of the results: files in it are named from there, so that results that are
            moved or mounted together with their files stay valid.
    """
    resolved = os.path.realpath(path)
    if folder is not None:
        resolved = resolved.removeprefix(os.path.join(os.path.realpath(folder), ''))
    return resolved.replace(os.sep, '/')


def identify(path: str | Path, folder: str | Path | None = None) -> FileIdentity:
    """Read the identity of a file, see :func:`place`.

    Raises:
        OSError: If it cannot be read.
    """
    with open(path, 'rb', buffering=0) as file:
        found = os.fstat(file.fileno())
        ends = hashlib.blake2b(file.read(END), digest_size=16)
        if found.st_size > END:
            file.seek(max(found.st_size - END, END))
            ends.update(file.read(END))
    return FileIdentity(place(path, folder), found.st_size, found.st_mtime_ns, ends.hexdigest())


def fingerprint(files: Iterable[str | Path], folder: str | Path | None = None) -> str:
    """Return one digest of the identities of files."""
    return digest([identify(file, folder) for file in files])


def digest(facts: Any) -> str:
    """Return the digest of anything that JSON can hold."""
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
