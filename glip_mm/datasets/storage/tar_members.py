"""Files in a tar shard, up to where the shard is broken.

Shards that a killed download left behind end in the middle. :mod:`tarfile` raises at some breaks,
after giving out the file that is cut, and takes others for the end of the archive.
"""

import lzma
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from mmengine.logging import MMLogger

from glip_mm.datasets.data_error import DataError
from glip_mm.limits import EXPANSION, TAR_MEMBER

_BLOCK = 512
#: Zeros that programs may write behind the end mark; a download that reserved space leaves more.
_PADDING = 1 << 20


class BrokenTar(DataError):
    """A tar file that cannot be read to its end; the message says where and why."""


def tar_members(path: Path, read: bool = False, links: bool = False
                ) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Iterate over the complete files in a tar file.

    Of files of one name the first counts, as what is read in order cannot know the last. There is
    a warning of others, and of links.

    Args:
        path: Path of the tar file.
        read: Whether to read the files; compressed archives can only be read so. Otherwise the
            content is empty, as is that of a file beyond :data:`glip_mm.limits.TAR_MEMBER`, or
            with holes that make it larger than the archive (``EXPANSION``).
        links: Whether to yield links, too, which have no content.

    Raises:
        OSError: If the system cannot read it.
        BrokenTar: After the last complete file, if there should be more.
    """
    size = path.stat().st_size
    if not size:
        raise BrokenTar('the file is empty')
    seen = set[str]()
    again, linked = list[str](), list[str]()
    with open(path, 'rb') as raw:
        try:
            tar = tarfile.open(fileobj=raw, mode='r:*' if read else 'r:')
        except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError):
            raise BrokenTar('no tar archive' + ('' if read else ', or a compressed one')) from None
        with tar:
            try:
                for member in tar:
                    link = link_of(member)
                    if not (member.isreg() or link) or Path(member.name).name.startswith('._'):
                        continue  # macOS keeps what it knows of a.jpg in ._a.jpg
                    if member.name in seen:
                        again.append(f"'{member.name}'")
                        continue
                    seen.add(member.name)
                    if link:
                        linked.append(link)
                        if links:
                            yield member, b''
                        continue
                    stored = not (read and member.issparse())
                    if stored and tar.fileobj is raw and member.offset_data + member.size > size:
                        raise BrokenTar(f"cut off within '{member.name}'")
                    content = b''
                    if read and not _is_too_large(path, member, size):
                        content = tar.extractfile(member).read()  # type: ignore[union-attr]
                    yield member, content
                _warn(path, 'links are left out', linked)
                _warn(path, 'files of a name that came before are left out', again)
                _check_end(tar)
            except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise BrokenTar(f'{error} at byte {tar.offset}') from None
            except OSError as error:
                if error.errno is not None:
                    raise
                raise BrokenTar(f'{error} at byte {tar.offset}') from None  # of a decompressor


def link_of(member: tarfile.TarInfo) -> str:
    """Describe a link, which has no content of its own; empty for anything else."""
    if not (member.issym() or member.islnk()):
        return ''
    return (f"'{member.name}' is a {'symbolic' if member.issym() else 'hard'} link to "
            f"'{member.linkname}': pack the file itself (tar --dereference --hard-dereference)")


def first_link(paths: Iterable[Path]) -> str:
    """Describe the first link in tar files; empty if there is none."""
    with suppress(BrokenTar, OSError):
        return next((f"in '{path}', {link}" for path in paths
                     for member, _ in tar_members(path, links=True) if (link := link_of(member))),
                    '')
    return ''


@cache
def _say_once(text: str) -> None:
    MMLogger.get_current_instance().warning('%s', text)


def _warn(path: Path, what: str, found: Sequence[str]) -> None:
    if found:
        _say_once(f"'{path}': {len(found)} {what}; the first: {found[0]}")


def _is_too_large(path: Path, member: tarfile.TarInfo, size: int) -> bool:
    """Return whether a member would fill the memory: its holes or its compression hide the size."""
    if member.size > TAR_MEMBER.value:
        why = f'more than {TAR_MEMBER}'
    elif member.issparse() and member.size > EXPANSION.value * size:
        why = f'with holes, more times the size of its archive than {EXPANSION}'
    else:
        return False
    MMLogger.get_current_instance().warning("'%s': '%s' is left empty, as it has %s bytes, %s",
                                            path, member.name, f'{member.size:,}', why)
    return True


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise an error unless what ended the iteration is the end mark of the archive."""
    file = tar.fileobj
    assert file is not None
    file.seek(tar.offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise BrokenTar(f'cut off or damaged at byte {tar.offset}: the end mark is missing')
    rest = file.read(_PADDING + 1)
    more = 'more data' if rest.strip(b'\0') else 'nothing but zeros'
    if more == 'more data' or len(rest) > _PADDING:
        raise BrokenTar(f'{more} behind the end mark at byte {tar.offset}: joined by cat, or not '
                        'downloaded completely?')
