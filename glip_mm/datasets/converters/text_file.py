"""Text files as people have them."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from glip_mm.datasets.data_error import DataError
from glip_mm.limits import LINE_BYTES

#: Bytes of a file that are looked at to know its format.
PIECE = 1 << 16


def lines_of(path: str | Path) -> Iterator[bytes]:
    """Iterate over the lines of a file, without a byte order mark, plain or compressed by gzip.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is a broken gzip file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"'{path}' is missing: check the folder and the name of the file")
    with open(path, 'rb') as raw:
        zipped = raw.read(2) == b'\x1f\x8b'
        raw.seek(0)
        number, longest = 0, LINE_BYTES.value
        try:
            file = gzip.open(raw, 'rb') if zipped else raw
            for number, line in enumerate(iter(partial(file.readline, longest + 1), b''), 1):
                if len(line) > longest:
                    raise DataError(f"'{path}' line {number} has more bytes than {LINE_BYTES}: "
                                    'it is not of the format it is read as')
                yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"'{path}' is a broken gzip file after line {number} ({error}): fetch "
                            'it again') from None


def csv_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate over the rows of a CSV file, and the numbers of the lines that they end in.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is no CSV file in UTF-8.
    """
    def text() -> Iterator[str]:
        for number, line in enumerate(lines_of(path), 1):
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise DataError(f"'{path}' line {number} is not UTF-8 text ({error.reason}): save "
                                'the file as UTF-8') from None

    reader = csv.reader(text())
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"'{path}' line {reader.line_num} is no CSV: {error}") from None


def ends(path: Path) -> str:
    """Return the beginning and the end of a text file, the beginning alone if it is compressed."""
    try:
        with open(path, 'rb') as file:
            start = file.read(PIECE)
            if start[:2] == b'\x1f\x8b':
                with gzip.open(path, 'rb') as unzipped:
                    return unzipped.read(PIECE).decode('utf-8-sig', 'replace')
            size = path.stat().st_size
            file.seek(max(len(start), size - PIECE))
            return (start.decode('utf-8-sig', 'replace') + '\n'
                    + file.read().decode('utf-8', 'replace'))
    except (OSError, EOFError):
        return ''


def captions_hint(path: str | Path) -> str:
    """Return what a JSON file of captions without boxes is, for an error; empty for others."""
    text = ends(Path(path))
    if '"caption"' not in text or '"bbox"' in text:
        return ''
    return (': its annotations are captions of images, without boxes; give the file of boxes, such '
            'as instances_train2017.json, or label the images with tools/pseudo_label.py')
