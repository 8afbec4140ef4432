"""Text files as people have them."""

import gzip
from pathlib import Path
from typing import TextIO


def open_text(path: str | Path) -> TextIO:
    """Open a text file, with or without a byte order mark, plain or compressed by gzip."""
    with open(path, 'rb') as file:
        zipped = file.read(2) == b'\x1f\x8b'
    return (gzip.open if zipped else open)(
        path, 'rt', encoding='utf-8-sig', newline='')
