"""Images and captions in rows of a text file, which are read from any of them on."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.data_paths import below
from glip_mm.image_suffixes import IMAGE_SUFFIXES
from glip_mm.text.safe_json import load_json

from .sample import Sample

#: Names of the column or field of the image's file, and of the caption.
FILE_KEYS = ('filename', 'file_name', 'image', 'path', 'filepath')
CAPTION_KEYS = ('caption', 'text')
#: Suffix of files of rows -> the usual separator of columns, None for JSON.
SEPARATORS = {'.jsonl': None, '.csv': ',', '.tsv': '\t'}
_BOM = b'\xef\xbb\xbf'

csv.field_size_limit(2**31 - 1)  # captions may be longer than the 131,072 characters of default


class Start(NamedTuple):
    """Place of a row."""

    offset: int
    #: Number of its first line, from 1.
    line: int
    #: Number of rows before it.
    row: int


class _Lines:
    """Lines of a file as text, and where the next one begins."""

    def __init__(self, path: Path, file: BinaryIO, offset: int, line: int) -> None:
        self.path, self.file, self.offset, self.line = path, file, offset, line
        file.seek(offset)

    def __iter__(self) -> '_Lines':
        return self

    def __next__(self) -> str:
        content = next(self.file)
        where = f"'{self.path}', line {self.line}"
        if b'\0' in content:
            raise DataError(f'{where} holds a NUL byte: the file is binary or UTF-16; save it as '
                            'UTF-8 text')
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f'{where} is not UTF-8: {content[error.start:error.start + 1]!r} at byte '
                f'{error.start}; save the file as UTF-8 (of Windows, for example: iconv -f cp1252 '
                '-t utf-8)') from None
        self.offset += len(content)
        self.line += 1
        return text


@dataclass(frozen=True)
class CaptionRows:
    """Rows of a JSON lines, CSV or TSV file."""

    path: Path
    #: Root folder of image files.
    images: Path
    #: Separator of columns; None: JSON lines.
    separator: str | None
    #: Names of columns, in lower case.
    columns: tuple[str, ...]
    #: Place of the first row, behind a byte order mark and the header.
    first: Start
    #: Whether images have captions; otherwise those are not looked at.
    captions: bool = True

    @classmethod
    def from_file(cls, path: Path, images: Path, captions: bool = True) -> 'CaptionRows':
        """Read the header, and find out the separator.

        Raises:
            DataError: If the header lacks a column for the file or, with ``captions``, the caption.
        """
        with open(path, 'rb') as file:
            begin = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
        usual = SEPARATORS[path.suffix.lower()]
        if usual is None:
            return cls(path, images, None, (), Start(begin, 1, 0), captions)
        for separator in (usual, *(s for s in ',\t;|' if s != usual)):
            names, first = _header(path, begin, separator)
            if not names or (any(k in names for k in FILE_KEYS)
                             and (not captions or any(k in names for k in CAPTION_KEYS))):
                return cls(path, images, separator, names, first, captions)
        raise _bad_header(path, _header(path, begin, usual)[0], usual, captions)

    def starts(self, every: int) -> tuple[list[Start], int]:
        """Read all rows; return the places of row 0, ``every``, 2 ``every``, ... and their number.

        Raises:
            DataError: If a line is no UTF-8 text.
        """
        starts, count = [], 0
        for count, (start, _) in enumerate(self._records(self.first), 1):
            if (count - 1) % every == 0:
                starts.append(start)
        return starts, count

    def samples(self, start: Start, count: int) -> Iterator[Sample]:
        """Iterate over a number of samples from a place on."""
        for where, record in itertools.islice(self._records(start), count):
            yield self._sample(where, record)

    def _records(self, start: Start) -> Iterator[tuple[Start, Any]]:
        """Iterate over rows as text (JSON lines), lists of cells, or errors in quotes."""
        with open(self.path, 'rb') as file:
            lines = _Lines(self.path, file, start.offset, start.line)
            reader: Any = lines
            if self.separator is not None:
                reader = csv.reader(lines, delimiter=self.separator, strict=True)
            number = start.row
            while True:
                place = Start(lines.offset, lines.line, number)
                try:
                    record = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    record = error
                if record and (not isinstance(record, str) or record.strip()):
                    number += 1
                    yield place, record

    def _sample(self, where: Start, record: Any) -> Sample:
        def fault(cause: str, detail: str) -> Sample:
            return Sample(f'row {where.row + 1}', None, None, {}, cause,
                          f'line {where.line}: {detail}')
        if self.separator is None:
            try:
                row = load_json(record)
            except ValueError as error:
                return fault('not JSON', str(error))
            if not isinstance(row, dict):
                return fault('not JSON', f'an object is expected, found a {type(row).__name__}')
        elif isinstance(record, csv.Error):
            return fault('broken quotes', str(record))
        elif len(record) != len(self.columns):
            return fault('ragged row', f'{len(record)} cells in {len(self.columns)} columns')
        else:
            row = dict(zip(self.columns, record))
        name = next((row[k] for k in FILE_KEYS if row.get(k)), None)
        if isinstance(name, str):  # written on Windows
            name = name.replace('\\', '/')
        caption = next((row[k] for k in CAPTION_KEYS if row.get(k)), None)
        try:
            # names in a file without --images may be absolute
            path = name and Path(below(self.images, str(name), self.images == self.path.parent))
        except ValueError as error:
            return fault('bad file name', str(error))
        sample = Sample(str(name or f'row {where.row + 1}'),
                        caption if isinstance(caption, str) else None,
                        path or None, {})
        if name and (sample.caption or not self.captions):
            return sample
        what, keys = ('caption', CAPTION_KEYS) if name else ('image', FILE_KEYS)
        return sample._replace(fault=f'no {what}', detail=(
            f'line {where.line}: {" or ".join(keys)} has no text' if any(k in row for k in keys)
            else f'line {where.line}: no {" or ".join(keys)} among {", ".join(map(repr, row))}'))


def _header(path: Path, begin: int, separator: str) -> tuple[tuple[str, ...], Start]:
    """Return the names of columns, none if the file is blank, and the place behind them."""
    with open(path, 'rb') as file:
        lines = _Lines(path, file, begin, 1)
        try:
            cells = next((row for row in csv.reader(lines, delimiter=separator) if row), [])
        except csv.Error as error:
            raise DataError(f"'{path}', line {lines.line - 1}: {error}") from None
        return tuple(cell.strip().lower() for cell in cells), Start(lines.offset, lines.line, 0)


def _bad_header(path: Path, cells: Sequence[str], separator: str, captions: bool) -> DataError:
    found = ', '.join(map(repr, cells))
    message = (f"'{path}': the header must name a column {' or '.join(FILE_KEYS)}"
               + f" and one {' or '.join(CAPTION_KEYS)}" * captions
               + ", separated by comma, tab, ';' or '|'; found "
               + (found if len(found) < 400 else f'{found[:400]}...'))
    addresses = any('://' in cell for cell in cells)
    if addresses or any(cell.endswith(IMAGE_SUFFIXES) for cell in cells):
        message += ('. This looks like a row: add a header as the first line, such as '
                    + repr(separator.join(('caption', 'filename')[not captions:])))
    if addresses or 'url' in cells:
        message += ('. Images at addresses are fetched first: the tar shards of img2dataset are '
                    'read as they are')
    return DataError(message)
