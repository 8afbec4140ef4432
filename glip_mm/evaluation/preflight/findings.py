"""What checks found."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from glip_mm.datasets.data_error import DataError


class PreflightError(DataError):
    """A run that would give wrong numbers; the text lists all that does not fit."""


@dataclass
class Findings:
    """Lines for the log, by how bad they are."""

    #: Numbers would be wrong.
    errors: list[str] = field(default_factory=list)
    #: Numbers may surprise.
    warnings: list[str] = field(default_factory=list)
    #: What will be done.
    notes: list[str] = field(default_factory=list)


def both_sides(left: str, mine: Sequence[str], right: str, others: Sequence[str]) -> str:
    """Two lists, and what only one of them has.

    Args:
        left: What the first list is.
        mine: The first list.
        right: What the second is.
        others: The second.
    """
    width = max(len(left), len(right))
    lines = [f'  {left:{width}} ({len(mine)}): {list(mine)}',
             f'  {right:{width}} ({len(others)}): {list(others)}']
    for name, only in ((left, [m for m in mine if m not in set(others)]),
                       (right, [o for o in others if o not in set(mine)])):
        if only:
            lines.append(f'  only in {name}: {only}')
    if list(mine) != list(others) and sorted(mine) == sorted(others):
        at = next(i for i, (a, b) in enumerate(zip(mine, others)) if a != b)
        lines.append(f'  the same names in another order, from label {at} on: {mine[at]!r} against '
                     f'{others[at]!r}')
    return '\n'.join(lines)
