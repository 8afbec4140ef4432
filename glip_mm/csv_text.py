"""Tables as CSV of which a spreadsheet runs nothing, and what was written read again."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator

#: A spreadsheet runs a cell that begins so, also in the full width of Chinese and Japanese.
_FORMULA = tuple('=+-@\t\r\n＝＋－＠')
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?', re.ASCII | re.IGNORECASE)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Format rows as CSV.

    Args:
        rows: Rows of texts and numbers. Floats get six digits, and NaN an empty cell; a text that a
            spreadsheet would run gets an apostrophe in front, as does one that has one already.
    """
    lines = []
    for row in rows:
        text = io.StringIO()
        csv.writer(text).writerow([_cell(value) for value in row])  # it quotes what ends a line
        lines.append(text.getvalue().removesuffix('\r\n') + '\n')
    return ''.join(lines).encode(errors='backslashreplace').decode()  # of names that are not UTF-8


def csv_cells(lines: Iterable[str]) -> Iterator[list[str]]:
    """Read the cells that :func:`csv_text` wrote, row by row.

    Args:
        lines: The lines, such as a file that was opened with ``newline=''``.
    """
    for row in csv.reader(lines):
        yield [cell.removeprefix("'") for cell in row]


def _cell(value: object) -> object:
    if isinstance(value, float):
        return '' if math.isnan(value) else f'{value:.6f}'
    if isinstance(value, str) and value.startswith(("'", *_FORMULA)) and not _NUMBER.fullmatch(
            value):
        return f"'{value}"
    return value
