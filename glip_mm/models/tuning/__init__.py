"""What of a detector is trained: ``model.tuning``."""

from .modes import MODES, Mode
from .parts import PartRow, format_parts, part_rows
from .tuning import Tuning

__all__ = [
    'MODES', 'Mode', 'PartRow', 'Tuning', 'format_parts', 'part_rows'
]
