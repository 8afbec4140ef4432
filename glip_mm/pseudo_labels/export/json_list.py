"""Long JSON lists, written element by element."""

import json
from collections.abc import Iterable
from typing import BinaryIO


def write_list(file: BinaryIO, elements: Iterable[dict]) -> None:
    """Write ``[...]`` with one element a line, holding one at a time in memory."""
    file.write(b'[')
    for number, element in enumerate(elements):
        file.write(b',\n' if number else b'\n')
        file.write(json.dumps(element, ensure_ascii=False).encode('utf-8', 'replace'))
    file.write(b'\n]')
