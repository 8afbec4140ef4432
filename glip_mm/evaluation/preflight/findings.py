"""Findings of checks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from glip_mm.datasets.data_error import DataError


class PreflightError(DataError):
    """A run that would give wrong numbers; the message lists all mismatches."""


@dataclass
class Findings:
    """Messages for the log, by severity."""

    #: Mismatches that make results wrong.
    errors: list[str] = field(default_factory=list)
    #: Findings that may explain unexpected results.
    warnings: list[str] = field(default_factory=list)
    #: Descriptions of what will be done.
    notes: list[str] = field(default_factory=list)


def both_sides(left: str, mine: Sequence[str], right: str, others: Sequence[str]) -> str:
    """Format two lists, and the entries that only one of them has.

    Args:
        left: Title of the first list.
        mine: First list.
        right: Title of the second list.
        others: Second list.
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
