"""Text files as people have them."""

import gzip
from pathlib import Path
from typing import TextIO

#: Bytes of a file that are looked at to know its format.
PIECE = 1 << 16


def open_text(path: str | Path) -> TextIO:
    """Open a text file, with or without a byte order mark, plain or compressed by gzip.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"'{path}' is missing: check the folder and the name of the file")
    with open(path, 'rb') as file:
        zipped = file.read(2) == b'\x1f\x8b'
    return (gzip.open if zipped else open)(
        path, 'rt', encoding='utf-8-sig', newline='')


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
