"""Files that are complete or absent, never half written."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def naming_errors(path: str | Path) -> Iterator[None]:
    """Name what is written in errors of the system that name no file, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def replacing(path: str | Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for writing, and rename it to ``path`` on success.

    Args:
        path: Target file; its folder is created if missing. After an error it is unchanged.
        durable: Whether to wait until the content is on the disk: otherwise a crash of the machine
            can leave the new name on an empty file.

    Raises:
        OSError: If it cannot be written, or ``path`` is a folder, pipe, socket or device, which the
            new file would replace.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise OSError(f"'{path}' is {'a folder' if path.is_dir() else 'a pipe or device'}, and a "
                      'file is to be written: give another path')
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        with naming_errors(path):
            with open(temporary, 'wb') as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Return the name of the temporary file or folder of this process."""
    # names have up to 255 bytes
    short = os.fsencode(path.name)[:200].decode(errors='ignore')
    return path.with_name(f'.{short}.{os.getpid()}.tmp')


def remove_temporary(folder: str | Path, names: str) -> None:
    """Delete the temporary files that killed processes left in a folder.

    Those of other processes that live on this machine stay.

    Args:
        folder: Folder that no process on another machine writes such files into.
        names: Pattern of the names of the files that they were to become.
    """
    begun = re.compile(rf'\.(?:{names})\.(\d+)\.tmp')
    for path in Path(folder).glob('.*.tmp'):
        found = begun.fullmatch(path.name)
        # in a container the killed process had the number of this one
        if found and path.is_file() and (int(found[1]) == os.getpid() or not _lives(int(found[1]))):
            path.unlink(missing_ok=True)


def remove_all_temporary(folder: str | Path, lock: str) -> None:
    """Delete what killed processes left in a folder and in those below it.

    Args:
        folder: As for :func:`remove_temporary`.
        lock: Name of a file that marks folders of other jobs, which are left alone.
    """
    for root, folders, files in os.walk(folder):
        if Path(root) != Path(folder) and lock in files:
            folders.clear()
        elif any(name.endswith('.tmp') for name in files):
            remove_temporary(root, '.+')


def _lives(process: int) -> bool:
    if os.name != 'posix':  # elsewhere a signal of 0 is one
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:  # Linux: the number of a killed process stays until its parent asks for its end
        return Path(f'/proc/{process}/stat').read_bytes().rpartition(b')')[2].split()[0] != b'Z'
    except (OSError, IndexError):
        return True


def write_atomically(path: str | Path, content: bytes | memoryview, durable: bool = True) -> Path:
    """Write a whole file atomically, see :func:`replacing`.

    Returns:
        ``path``.
    """
    with replacing(path, durable) as file:
        file.write(content)
    return Path(path)


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a temporary folder beside ``path``, and rename it to ``path`` on success.

    Args:
        path: Target folder; it must not exist, or be empty.

    Yields:
        The folder to fill.

    Raises:
        FileExistsError: If it is not empty: files of two runs would mix.
    """
    path = Path(path)
    if path.is_file() or path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"'{path}' is there already; delete it, or choose another")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.is_dir():  # an empty one, which only POSIX would replace
            path.rmdir()
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
