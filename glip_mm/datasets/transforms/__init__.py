"""Transforms of glip_mm."""

from .build_prompt import BuildPrompt
from .caption_filters import FilterPseudoBoxes
from .caption_packing import PackCaptions, ReplaceCaption
from .clip_boxes import ClipBoxes
from .flip_with_words import FlipWithWords
from .greenlight import GreenlightSpans
from .limited_resizing import limit_resizing
from .load_image import LoadImage
from .short_side_resize import ShortSideResize

__all__ = [
    'BuildPrompt', 'ClipBoxes', 'FilterPseudoBoxes', 'FlipWithWords', 'GreenlightSpans',
    'LoadImage', 'PackCaptions', 'ReplaceCaption', 'ShortSideResize'
]

limit_resizing()
