"""Pictures of grounding results."""

from .caption import draw_caption
from .files import save_image, write_atomically
from .grounding import draw_grounding
from .palette import PALETTE, entity_colors
from .sheet import make_sheet
from .visualizer import GroundingVisualizer

__all__ = [
    'PALETTE', 'GroundingVisualizer', 'draw_caption', 'draw_grounding', 'entity_colors',
    'make_sheet', 'save_image', 'write_atomically'
]
