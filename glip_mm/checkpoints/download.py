"""Download of large files from several addresses: resumed, verified, and complete or absent."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.logging import MMLogger
from tqdm import tqdm

from glip_mm.atomic_files import write_atomically
from glip_mm.file_lock import exclusive

#: Environment variable: a folder that is searched before anything is downloaded.
FOLDER = 'GLIP_MM_WEIGHTS'
#: Timeout of a connection in seconds; after it the next address is tried.
TIMEOUT = 30
BLOCK = 1 << 20


class DownloadError(OSError):
    """No address provided the file; the message says why, and what to do."""


class Download(NamedTuple):
    """An address of a file."""
    address: str
    #: SHA-256 of the file, or its first digits; empty if unknown.
    sha256: str = ''
    #: Size in bytes, None if unknown.
    size: int | None = None

    @property
    def name(self) -> str:
        """Return the file's name; empty if the address has none."""
        last = unquote(urlparse(self.address).path).rpartition('/')[2]
        return '' if last in ('.', '..') else Path(last).name


def download(choices: Sequence[Download]) -> Path:
    """Download a file from the first address that provides it.

    A file whose size and hash nobody knows is one of its address: of another address with the same
    name it is downloaded again.

    First the file is searched under the names of all addresses in the folder of the environment
    variable ``GLIP_MM_WEIGHTS`` and in ``checkpoints`` of torch's hub folder, the download cache.

    Args:
        choices: Addresses of equivalent files, in order of preference.

    Returns:
        Path of the file.

    Raises:
        DownloadError: If no address provides it.
    """
    cache = Path(torch.hub.get_dir()) / 'checkpoints'
    found = _kept(choices, cache)
    if found is not None:
        return found
    for choice in choices:
        if not choice.name:
            raise DownloadError(f"'{choice.address}' names no file: give the whole address, which "
                                'ends in the name of the checkpoint')
    reasons: list[str] = []
    # one process per machine downloads, the others wait for the lock and then find the file
    with exclusive(cache / f'.{choices[0].name}.lock'):
        found = _kept(choices, cache)
        if found is not None:
            return found
        for choice in choices:
            try:
                return _get(choice, cache / choice.name)
            except (OSError, HTTPException, ValueError) as error:
                reasons.append(f'{choice.address}: {_reason(error)}')
                MMLogger.get_current_instance().warning(f'not downloaded: {reasons[-1]}')
    raise DownloadError(
        f"'{choices[0].name}' could not be downloaded. {'. '.join(reasons)}. Download one of these "
        f'where there is a network; give its path as weights, or set {FOLDER} to its folder')


def _kept(choices: Sequence[Download], cache: Path) -> Path | None:
    given = os.environ.get(FOLDER)
    if given and not Path(given).expanduser().is_dir():
        raise DownloadError(f"{FOLDER}='{given}' is no folder: set it to the one that holds the "
                            'checkpoints, or unset it')
    folders = ([Path(given).expanduser()] if given else []) + [cache]
    for folder in folders:
        for choice in choices:
            path = folder / choice.name
            if not choice.name or not path.is_file():
                continue
            try:
                _check_once(choice, path, cache)
                if folder == cache:
                    _check_address(choice, path)
            except ValueError as error:
                MMLogger.get_current_instance().warning(f"'{path}' is not used: it {error}")
            else:
                return path
    return None


def _check_once(choice: Download, path: Path, cache: Path) -> None:
    """Compare a file with what is expected, reading it only if it has changed since the last time.

    Raises:
        ValueError: If it is another.
    """
    if choice.size not in (None, _size(path)) or not choice.sha256:
        return _check(choice, path)
    found = path.stat()
    identity = [os.path.realpath(path), found.st_size, found.st_mtime_ns, choice.sha256]
    verdict = cache / f'.{hashlib.sha256(repr(identity).encode()).hexdigest()[:32]}.verified'
    if not verdict.is_file():
        _check(choice, path)
        with suppress(OSError):  # a folder that is read-only; it spares time alone
            cache.mkdir(parents=True, exist_ok=True)
            verdict.touch()


def _get(choice: Download, target: Path) -> Path:
    """Download to a temporary file that a later call resumes, verify it, and rename it."""
    # without a hash only the same address goes on with a part of the same file
    own = '' if choice.sha256 else f'.{hashlib.sha256(choice.address.encode()).hexdigest()[:8]}'
    part = target.with_name(f'{target.name}{own}.part')
    resumed = part.is_file()
    MMLogger.get_current_instance().info(f'downloading {choice.address} to {target}')
    try:
        _transfer_all(choice, part)
        _check(choice, part)
    except ValueError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        # the partial download came from another file
        _transfer_all(choice, part)
        try:
            _check(choice, part)
        except ValueError:
            part.unlink(missing_ok=True)
            raise
    write_atomically(_note(target), choice.address.encode())
    os.replace(part, target)
    return target


def _note(path: Path) -> Path:
    """Return the file that says where a downloaded one came from."""
    return path.with_name(f'.{path.name}.address')


def _check_address(choice: Download, path: Path) -> None:
    """Refuse a file that nothing tells from others and that came from another address.

    Raises:
        ValueError: Says from where.
    """
    note = _note(path)
    if not choice.sha256 and choice.size is None and note.is_file():
        source = note.read_text(encoding='utf-8', errors='replace')
        if source != choice.address:
            raise ValueError(f'was downloaded from {source}')


def _transfer_all(choice: Download, part: Path) -> None:
    """Transfer a file, and resume after broken connections as long as there is progress."""
    while True:
        before = _size(part)
        try:
            return _transfer(choice, part)
        except HTTPError:
            raise
        except (OSError, HTTPException):
            if _size(part) <= before:
                raise


def _transfer(choice: Download, part: Path) -> None:
    have = _size(part)
    request = Request(choice.address, headers={'User-Agent': 'glip_mm'})
    if have:
        request.add_header('Range', f'bytes={have}-')
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and have:  # the partial file is already complete
            return
        raise
    with response:
        continues = response.status == 206 and response.headers.get(
            'Content-Range', '').startswith(f'bytes {have}-')
        have = have if continues else 0
        length = response.headers.get('Content-Length')
        total = None if length is None else have + int(length)
        if response.headers.get_content_type() in ('text/html', 'application/xhtml+xml'):
            raise ValueError('answers with a web page, not with a file')
        if choice.size is not None and total not in (None, choice.size):
            raise ValueError(f'offers {total} bytes where the file has {choice.size}')
        if not (total or response.chunked or choice.size or choice.sha256):
            raise ValueError('does not say how long the file is: a transfer that breaks off would '
                             'look complete')
        with open(part, 'ab' if continues else 'wb') as file, tqdm(
                total=total, initial=have, unit='B', unit_scale=True, desc=choice.name,
                disable=None) as bar:  # None: no bar where stderr is no terminal
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    if total is not None and _size(part) < total:
        raise ConnectionError(f'the connection ended after {_size(part)} of {total} bytes')


def _check(choice: Download, path: Path) -> None:
    """Compare size and hash with the expected ones.

    Raises:
        ValueError: If they differ.
    """
    if choice.size is not None and _size(path) != choice.size:
        raise ValueError(f'has {_size(path)} bytes where the released file has {choice.size}')
    if not choice.sha256:
        return
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if not digest.hexdigest().startswith(choice.sha256):
        raise ValueError(f'is another file: its SHA-256 begins with {digest.hexdigest()[:8]}, '
                         f'not {choice.sha256[:8]}')


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f'answered {error.code} ({error.reason})'
    if isinstance(error, URLError):
        return f'could not be reached ({error.reason})'
    return str(error) or type(error).__name__
