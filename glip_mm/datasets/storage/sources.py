"""Source files of samples, read in place: iterating over rows and reading a row's record."""

import hashlib
import itertools
import json
import os
import re
import sys
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from mmengine.logging import MMLogger
from tqdm import tqdm

from glip_mm.atomic_files import remove_temporary, write_atomically
from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.converters import FORMATS as CONTAINERS
from glip_mm.datasets.converters import Records, TSVBundle, decode_cell, write_jsonl
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.datasets.label_map import write_label_map
from glip_mm.image_suffixes import is_image
from glip_mm.text.safe_json import load_json
from glip_mm.version import __version__

from .file_identity import digest, fingerprint, place
from .mapped_table import MappedTable, open_or_build, writing
from .tar_members import BrokenTar, tar_members

if TYPE_CHECKING:
    from glip_mm.datasets.formats import SplitFiles

#: Endings of what data sets store beside their sources.
STORED = ('.arrow', '.odvg.jsonl', '.label_map.json', '.source.json', '.lock')
#: Formats of data sets; rows are read in place, other annotations are converted to rows first.
FORMATS = ('odvg', 'tar', *CONTAINERS)
COLUMNS = [('file', pa.int32()), ('line', pa.int64()), ('offset', pa.int64()),
           ('length', pa.int32()), ('image_offset', pa.int64()), ('image_length', pa.int32()),
           ('width', pa.int32()), ('height', pa.int32()), ('boxes', pa.int32())]
MAX_OPEN = 64  # open files per process: shards are read in random order

_files: OrderedDict[tuple[int, str], int] = OrderedDict()
_position = threading.Lock()


class Row(NamedTuple):
    """A sample of a data set: the columns of its index."""

    file: int
    line: int
    offset: int
    length: int
    image_offset: int
    image_length: int
    width: int
    height: int
    boxes: int


def read_bytes(path: str, offset: int, length: int) -> bytes:
    """Read a range of a file; safe in forked workers, as every process opens its own.

    Raises:
        OSError: If it cannot be read.
        EOFError: If the file is shorter.
    """
    key = os.getpid(), str(path)
    if key not in _files:
        while len(_files) >= MAX_OPEN:
            (owner, _), oldest = _files.popitem(last=False)
            if owner == os.getpid():
                os.close(oldest)
        _files[key] = os.open(path, os.O_RDONLY | getattr(os, 'O_BINARY', 0))
    content = _read_at(_files[key], length, offset)
    if len(content) < length:
        raise EOFError(f"'{path}' ends before byte {offset + length}")
    return content


def _read_at(descriptor: int, length: int, offset: int) -> bytes:
    if hasattr(os, 'pread'):
        return os.pread(descriptor, length, offset)
    with _position:  # Windows has no pread: threads share the file position
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)


def forget_replaced_files() -> None:
    """Close open files whose place another file has taken since."""
    for key, descriptor in list(_files.items()):
        if key[0] != os.getpid():
            continue
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(key[1])):
                continue
        except FileNotFoundError:
            pass
        os.close(_files.pop(key))


def read_cell(path: str, offset: int, length: int) -> bytes:
    """Read an image of a TSV bundle.

    Raises:
        OSError, EOFError: See :func:`read_bytes`.
        ValueError: If it is not base64.
    """
    return decode_cell(read_bytes(path, offset, length))


def _summary(record: Any) -> tuple[int, int, int]:
    """Return width, height and number of boxes of a record; -1 for what is invalid.

    A faulty box leaves the number of boxes open: the record's reader drops it.
    Boxes at most one pixel wide or high and ignored boxes do not count: the published training
    leaves out images that have no others.
    """
    width = height = -1
    try:
        width, height = (side if 0 < side < 1 << 31 else -1
                         for side in (int(record['width']), int(record['height'])))
        if 'grounding' in record:
            boxes = [box for r in record['grounding']['regions'] for box in (
                r['bbox'] if not r['bbox'] or isinstance(r['bbox'][0], list) else [r['bbox']])]
        else:
            boxes = [i['bbox'] for i in record['detection']['instances'] if not i.get('ignore')]
        thick = sum(x2 - x1 > 1 and y2 - y1 > 1 for x1, y1, x2, y2 in boxes)
        return width, height, thick
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
        return width, height, -1


def _parse(content: bytes) -> Any:
    try:
        return load_json(content)
    except ValueError:
        return None


def _line_row(number: int, line: int, offset: int, content: bytes) -> Row:
    record = _parse(content)
    try:
        image = [int(n) for n in record['image_bytes']]
        start, length = image
        if not (0 <= start < 1 << 63 and 0 <= length < 1 << 31):
            start, length = -1, 0
    except (KeyError, TypeError, ValueError, OverflowError):
        start, length = -1, 0
    return Row(number, line, offset, len(content), start, length, *_summary(record))


class Source:
    """Files of a data set.

    Args:
        path: Annotation file; for shards and JSON lines also a pattern, ``{00000..00099}.tar`` or
            with ``*``.
        format: ``'odvg'``, ``'tar'``, one of :data:`glip_mm.datasets.converters.FORMATS`, or for a
            folder ``'folder'`` or one of :data:`glip_mm.datasets.formats.FORMATS`.
        split: Split of a folder.
    """

    def __init__(self, path: str, format: str, split: str = 'train') -> None:
        in_place = ('odvg', 'tar', *CONTAINERS)  # users may have added some
        self.path, self.format, self.split = path, format, split
        #: Folder that file names start from, where the format knows it.
        self.image_root: Path | None = None
        self.folder: SplitFiles | None = None
        if format not in in_place or Path(path).is_dir():
            self.folder = _split_of_folder(path, format, split, in_place)
            self.image_root = self.folder.images
        self.label_map_file: str | None = None
        self.images: Path | None = None  # image file of a TSV bundle
        #: File that cannot be read to its end -> where and why; complete after :meth:`rows`.
        self.broken: dict[str, str] = {}
        in_rows = format in ('tar', 'odvg') and not self.folder
        self.files = self._shards() if in_rows else [Path(path)]
        for file in self.files:
            if not (file.exists() if self.folder else file.is_file()):
                raise FileNotFoundError(f"'{file}' is missing: check data_root and ann_file")

    def _shards(self) -> list[Path]:
        names = expand_braces(self.path)
        if '*' not in self.path:
            return [Path(name) for name in names]
        found = sorted(itertools.chain(*(
            Path(name).parent.glob(Path(name).name) for name in names)))
        if not found:
            raise FileNotFoundError(f"no file matches '{self.path}': check data_root and ann_file")
        return found

    def open_table(self, folder: str | Path | None = None) -> MappedTable:
        """Open the index of all rows, after building it and converting the data if necessary.

        Args:
            folder: Folder of the index and of converted annotations; default: beside the data.

        Raises:
            PermissionError: If they have to be written in a read-only folder.
        """
        folder = Path(folder or self.files[0].parent)
        # sets of the same base name share a folder: a name is for one place and format
        shown = Path(self.path).name.replace('*', '_')[:100]
        facts = [place(self.path, folder), self.format, *([self.split] if self.folder else [])]
        name = f'{shown}-{digest(facts)[:10]}'
        if self.folder or self.format in CONTAINERS:
            self._convert(folder, name)
        forget_replaced_files()
        table = open_or_build(folder / f'{name}.index.arrow', self.files, COLUMNS, self.rows,
                              notes=self.broken)
        self.broken = table.notes
        if self.broken:
            MMLogger.get_current_instance().warning(
                '%s of %d files cannot be read to their end; the samples before are used: %s. '
                'Fetch them again', len(self.broken), len(self.files),
                '; '.join(f"'{file}': {why}" for file, why in self.broken.items()))
        return table

    def _convert(self, folder: Path, name: str) -> None:
        """Convert annotations that are not rows to rows, unless that was done before."""
        origin = Path(self.path)
        convert: Callable = _records_of_folder if self.folder else CONTAINERS[self.format]
        lines = folder / f'{name}.odvg.jsonl'
        labels, stamp = (lines.with_suffix(s) for s in ('.label_map.json', '.source.json'))
        origins = [origin]
        if self.format == 'tsv':
            bundle = TSVBundle(origin)
            origins, self.images = bundle.files, bundle.paths.get('img')
        wanted = digest([_version(convert), _tree(origin, folder) if self.folder
                         else fingerprint(origins, folder)])
        images = folder / f'{name}.images'

        def is_current() -> bool:
            try:
                return lines.is_file() and read_json(stamp) == wanted
            except (OSError, ValueError):
                return False

        if not is_current():
            with writing(lines):
                if not is_current():
                    remove_temporary(folder, re.escape(lines.stem) + r'\..+')
                    stamp.unlink(missing_ok=True)
                    records = (_records_of_folder(self.folder, images) if self.folder
                               else convert(str(origin)))
                    write_jsonl(records, lines)
                    if records.label_map is not None:
                        write_label_map(records.label_map, labels)
                    write_atomically(stamp, json.dumps(wanted).encode())
        self.files = [lines]
        if self.folder and self.folder.unpack is not None:
            self.image_root = images
        self.label_map_file = str(labels) if labels.is_file() else None

    def rows(self) -> Iterator[Row]:
        """Iterate over all rows; reads every file once, with a progress bar."""
        self.broken.clear()
        for number, file in enumerate(self.files):
            if self.format != 'tar':
                yield from _line_rows(number, file)
                continue
            count = 0
            try:
                for row in _tar_rows(number, file):
                    count += 1
                    yield row
            except BrokenTar as error:
                self.broken[str(file)] = f'{error}, after {count} samples'

    def where(self, row: dict) -> str:
        """Return file and line, or file and byte, of a row."""
        file = self.files[row['file']]
        return f'{file}:{row["line"]}' if row['line'] >= 0 else f'{file}, byte {row["offset"]}'

    def image(self, row: dict) -> tuple[str, Callable[[], bytes]] | None:
        """Return the file that holds a row's image and a function that reads it, or None."""
        if row['image_offset'] < 0 or not (self.images or self.format == 'tar'):
            return None
        file, read = (self.files[row['file']], read_bytes) if self.images is None else (
            self.images, read_cell)
        return str(file), partial(read, str(file), row['image_offset'], row['image_length'])

    def record(self, row: dict) -> dict:
        """Read the ODVG record of a row.

        Raises:
            BadSample: If it cannot be read.
        """
        try:
            return load_json(read_bytes(str(self.files[row['file']]), row['offset'],
                                        row['length']))
        except (OSError, EOFError, ValueError) as error:
            raise BadSample('not JSON', self.where(row),
                            f'{error}; validate the file with tools/misc/validate_odvg.py'
                            ) from error


def _split_of_folder(path: str, format: str, split: str, in_place: Sequence[str]) -> 'SplitFiles':
    """Open a split of a folder; of one that is not divided, all of it."""
    from glip_mm.datasets.formats import FORMATS as FOLDERS
    from glip_mm.datasets.formats import open_folder
    if format not in ('folder', *FOLDERS):
        raise ValueError(f"format='{format}' is none of "
                         f'{", ".join(dict.fromkeys(["folder", *in_place, *FOLDERS]))}')
    opened = open_folder(path, None if format == 'folder' else format)
    found = opened.splits.get(split) or opened.splits.get('')
    if found is None:
        raise DataError(f"{opened.describe()}: it has no split '{split}', only "
                        f'{", ".join(map(repr, opened.splits))}')
    MMLogger.get_current_instance().info(opened.describe())
    return found


def _records_of_folder(split: 'SplitFiles', images: Path) -> Records:
    from glip_mm.datasets.formats.records import records_of, unpacked
    return records_of(unpacked(split, images))


def _tree(path: Path, folder: Path) -> str:
    """Return a digest of the names, sizes and times of all files below a folder.

    What is stored by data sets is left out.
    """
    root = path if path.is_dir() else path.parent
    found = []
    for base, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.endswith('.images'))
        for name in names:
            if not name.endswith(STORED) and not name.startswith('.'):
                with suppress(FileNotFoundError):
                    stat = os.stat(os.path.join(base, name))
                    found.append([place(base, folder), name, stat.st_size, stat.st_mtime_ns])
    return digest(sorted(found))


@cache
def _version(convert: Callable) -> str:
    """Digest the code of a converter, so that what another version wrote is not used.

    Everything about data sets counts, as converters share it.
    """
    own = getattr(sys.modules.get(getattr(convert, '__module__', '')), '__file__', None)
    files = {*Path(__file__).parents[1].rglob('*.py'), *([Path(own)] if own else [])}
    return digest([__version__, getattr(convert, '__qualname__', ''),
                   *sorted(hashlib.blake2b(file.read_bytes()).hexdigest() for file in files)])


def expand_braces(pattern: str) -> list[str]:
    """Expand ``'{08..10}.tar'`` to ``['08.tar', '09.tar', '10.tar']``; any number of braces."""
    match = re.search(r'\{(\d+)\.\.(\d+)\}', pattern)
    if not match:
        return [pattern]
    first, last = match.groups()
    return [name for i in range(int(first), int(last) + 1) for name in expand_braces(
        f'{pattern[:match.start()]}{i:0{len(first)}d}{pattern[match.end():]}')]


def _line_rows(number: int, path: Path) -> Iterator[Row]:
    offset = 0
    with open(path, 'rb') as file, tqdm(total=path.stat().st_size, unit='B', unit_scale=True,
                                        desc=f'indexing {path.name}', mininterval=1) as bar:
        for line, content in enumerate(file, 1):
            if content.strip():
                yield _line_row(number, line, offset, content)
            offset += len(content)
            bar.update(len(content))


def _tar_rows(number: int, path: Path) -> Iterator[Row]:
    """Iterate over the samples of an img2dataset shard: KEY.json and KEY.jpg side by side.

    The JSON holds the ODVG record beside img2dataset's own fields; samples without one are
    skipped: nothing was found in their image.

    Raises:
        BrokenTar: After the last complete sample, if there should be more.
    """
    members: dict[str, dict[str, tarfile.TarInfo]] = {}
    broken = None
    try:
        for member, _ in tqdm(tar_members(path), desc=f'indexing {path.name}', unit='file',
                              mininterval=1):
            key, _, suffix = member.name.rpartition('.')
            kind = 'image' if is_image(member.name) else suffix.lower()
            members.setdefault(key, {})[kind] = member
    except BrokenTar as error:
        broken = error
    for found in members.values():
        if 'json' in found and 'image' in found:
            text, image = found['json'], found['image']
            content = read_bytes(str(path), text.offset_data, text.size)
            if b'"grounding"' in content or b'"detection"' in content:
                yield Row(number, -1, text.offset_data, text.size, image.offset_data,
                          image.size, *_summary(_parse(content)))
    if broken is not None:
        raise broken
