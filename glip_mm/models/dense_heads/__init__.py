"""Heads."""

from .atss_grounding_head import ATSSGroundingHead
from .prediction_settings import ChunkMerge, PredictionSettings, Shortlist

__all__ = ['ATSSGroundingHead', 'ChunkMerge', 'PredictionSettings', 'Shortlist']
