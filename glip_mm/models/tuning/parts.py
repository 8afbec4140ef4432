"""The table of what is trained, part by part."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from glip_mm.checkpoints.adapters import is_adapter

_PARTS = (
    ('backbone', r'backbone\.'),
    ('neck', r'neck\.'),
    ('language model', r'language_model\.'),
    ('prompt offset', r'prompt_table\.'),
    ('dynamic conv', r'fusion_neck\.layers\.[0-9]+\.conv\.'),
    ('fusion', r'fusion_neck\.'),
    ('head', r'bbox_head\.'),
)


class PartRow(NamedTuple):
    """Parameters of one part of a detector.

    Attributes:
        part: name of the part for a reader.
        trained: Numbers that are trained.
        total: All numbers.
    """

    part: str
    trained: int
    total: int


def part_of(name: str) -> str:
    """Return the part that a parameter belongs to.

    Args:
        name: name of a parameter of :class:`~glip_mm.models.GLIP`.

    Example:
        >>> part_of('fusion_neck.layers.0.conv.offset.weight')
        'dynamic conv'
    """
    if is_adapter(name):
        return 'adapters'
    return next((part for part, pattern in _PARTS if re.match(pattern, name)),
                name.partition('.')[0])


def part_rows(model: nn.Module) -> list[PartRow]:
    """Count trained and all parameters of each part, in the order of the data.

    Args:
        model: A GLIP without a wrapper of its own.

    Returns:
        One row for each part that the model has.
    """
    counts: dict[str, list[int]] = {}
    for name, param in model.named_parameters():
        count = counts.setdefault(part_of(name), [0, 0])
        count[0] += param.numel() if param.requires_grad else 0
        count[1] += param.numel()
    order = ['backbone', 'neck', 'language model', 'prompt offset', 'fusion', 'dynamic conv',
             'head', 'adapters']
    names = [n for n in order if n in counts] + [n for n in counts if n not in order]
    return [PartRow(name, *counts[name]) for name in names]


def format_parts(rows: Sequence[PartRow]) -> str:
    """Format the rows as aligned text, with their sum below."""
    rows = [*rows, PartRow('all', sum(r.trained for r in rows), sum(r.total for r in rows))]
    lines = [('part', 'trained', 'parameters', 'share')]
    lines += [(r.part, f'{r.trained:,}' if r.trained else '-', f'{r.total:,}',
               f'{r.trained / max(r.total, 1):.2%}') for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return '\n'.join('  '.join(cell.rjust(w) if i else cell.ljust(w)
                               for i, (cell, w) in enumerate(zip(line, widths)))
                     for line in lines)
