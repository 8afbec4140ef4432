"""One line a stage: largest difference, tolerance, verdict."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Outcome of one comparison.

    Attributes:
        stage: What was compared.
        difference: Largest difference, absolute or relative (see ``note``); ``inf`` if shapes,
            counts or sets differ.
        tolerance: Largest accepted difference.
        note: What the number means, where it is not plainly absolute.
    """

    stage: str
    difference: float
    tolerance: float
    note: str = ''

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance (NaN is not)."""
        return self.difference <= self.tolerance


def format_table(rows: Sequence[Row]) -> str:
    """Lay rows out as text.

    Args:
        rows: Outcomes.

    Returns:
        A table with the columns stage, difference, tolerance, verdict and note.
    """
    width = max([len('stage'), *(len(r.stage) for r in rows)])
    lines: list[str] = [f'{"stage":<{width}}  {"max diff":>10}  {"tolerance":>9}  verdict  note']
    lines += [f'{r.stage:<{width}}  {r.difference:>10.3g}  {r.tolerance:>9.0e}  '
              f'{"ok" if r.passed else "MISS":<7}  {r.note}'.rstrip() for r in rows]
    return '\n'.join(lines)
