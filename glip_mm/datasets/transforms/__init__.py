"""Transforms of glip_mm."""

from .build_prompt import BuildPrompt

__all__ = ['BuildPrompt']
