"""Incremental writing of long JSON lists."""

import json
from collections.abc import Iterable
from typing import BinaryIO


def write_list(file: BinaryIO, elements: Iterable[dict]) -> None:
    """Write ``[...]`` with one element per line, keeping only one in memory."""
    file.write(b'[')
    for number, element in enumerate(elements):
        file.write(b',\n' if number else b'\n')
        file.write(json.dumps(element, ensure_ascii=False).encode('utf-8', 'replace'))
    file.write(b'\n]')
