"""Captions whose noun phrases a person marked."""

import re
from pathlib import Path

FILE = Path(__file__).parent / 'data' / 'captions.txt'


def read_captions() -> list[tuple[str, list[tuple[str, tuple[int, int]]]]]:
    """Captions without marks, and their phrases with spans."""
    result = []
    for line in FILE.read_text(encoding='utf-8').splitlines():
        if line.startswith('#'):
            continue
        caption, phrases = '', []
        for part in re.split(r'(\[[^]]*\])', line):
            text = part[1:-1] if part.startswith('[') else part
            if part.startswith('['):
                phrases.append((text, (len(caption), len(caption) + len(text))))
            caption += text
        result.append((caption, phrases))
    return result
