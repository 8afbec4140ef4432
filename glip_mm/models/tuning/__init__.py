"""Tuning modes, ``model.tuning``: the parts of a detector that are trained."""

from .modes import MODES, Mode
from .parts import PartRow, format_parts, part_rows
from .tuning import Tuning

__all__ = [
    'MODES', 'Mode', 'PartRow', 'Tuning', 'format_parts', 'part_rows'
]
