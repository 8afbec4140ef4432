"""Pictures of grounding results."""

from .caption import draw_caption
from .dataset_sample import DatasetSample, read_sample
from .files import save_image, write_atomically
from .grounding import draw_grounding
from .html_page import HtmlPage
from .palette import PALETTE, entity_colors
from .sheet import make_sheet
from .visualizer import GroundingVisualizer

__all__ = [
    'PALETTE', 'DatasetSample', 'GroundingVisualizer', 'HtmlPage', 'draw_caption', 'draw_grounding',
    'entity_colors', 'make_sheet', 'read_sample', 'save_image', 'write_atomically'
]
