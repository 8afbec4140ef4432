"""Measurements in a file that is complete after each of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from glip_mm.atomic_files import write_atomically

Record = dict[str, Any]


class Ledger:
    """Rows by name in a JSON file and, for people, in a Markdown file beside it.

    Both are written after each row, so that a run which ends early loses nothing and the next one
    with the same file goes on where it was.

    Args:
        path: JSON file.
        about: What all rows have in common: machine, versions, settings.
        render: Function from the whole record, ``dict(about=..., rows={name: row})``, to Markdown.

    Raises:
        ValueError: If the file has rows of another machine or other settings.
    """

    def __init__(self, path: str, about: Record, render: Callable[[Record], str]) -> None:
        self.path, self._render = Path(path), render
        self.record: Record = dict(about=about, rows={})
        if not self.path.exists():
            return
        try:
            before = json.loads(self.path.read_text(encoding='utf-8'))
            other, rows = dict(before['about']), dict(before['rows'])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"'{path}' holds no measurements ({error!r}): choose another file "
                             'with --out') from error
        now = json.loads(json.dumps(about))
        for key in {**other, **now}:
            if other.get(key) != now.get(key):
                raise ValueError(f"'{path}' was measured with {key} {other.get(key)}, this is "
                                 f'{now.get(key)}: choose another file with --out')
        self.record['rows'] = rows

    def has(self, name: str) -> bool:
        """Return whether a row was measured without an error."""
        return 'error' not in self.record['rows'].get(name, dict(error=''))

    def put(self, name: str, row: Record) -> None:
        """Add or replace a row, and write both files."""
        self.record['rows'][name] = row
        write_atomically(self.path.with_suffix('.md'), (self._render(self.record) + '\n').encode())
        write_atomically(self.path, (json.dumps(self.record, indent=1) + '\n').encode())
