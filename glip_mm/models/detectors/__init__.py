"""Detectors."""

from .glip import GLIP
from .glip_tta import GLIPTTAModel

__all__ = ['GLIP', 'GLIPTTAModel']
