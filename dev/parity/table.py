"""Table of comparisons, one row per stage: largest difference, tolerance, verdict."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Result of a comparison.

    Attributes:
        stage: Name of the compared stage.
        difference: Largest difference, absolute or relative (see ``note``); ``inf`` if shapes,
            counts or sets differ.
        tolerance: Maximum accepted difference.
        note: Meaning of the difference, if it is not absolute.
    """

    stage: str
    difference: float
    tolerance: float
    note: str = ''

    @property
    def passed(self) -> bool:
        """Return whether the difference is within the tolerance (NaN is not)."""
        return self.difference <= self.tolerance


def format_table(rows: Sequence[Row]) -> str:
    """Format rows as text.

    Args:
        rows: Results of comparisons.

    Returns:
        A table with the columns stage, difference, tolerance, verdict and note.
    """
    width = max([len('stage'), *(len(r.stage) for r in rows)])
    lines: list[str] = [f'{"stage":<{width}}  {"max diff":>10}  {"tolerance":>9}  verdict  note']
    lines += [f'{r.stage:<{width}}  {r.difference:>10.3g}  {r.tolerance:>9.0e}  '
              f'{"ok" if r.passed else "MISS":<7}  {r.note}'.rstrip() for r in rows]
    return '\n'.join(lines)
