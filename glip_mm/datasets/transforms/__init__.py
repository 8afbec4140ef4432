"""Transforms of glip_mm."""

from .build_prompt import BuildPrompt
from .short_side_resize import ShortSideResize

__all__ = ['BuildPrompt', 'ShortSideResize']
