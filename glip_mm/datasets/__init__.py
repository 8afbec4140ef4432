"""Data of glip_mm. Importing MMDetection's makes its parts findable through our registries."""

import mmdet.datasets  # noqa: F401

from .transforms import BuildPrompt

__all__ = ['BuildPrompt']
