"""Heads."""

from .atss_grounding_head import ATSSGroundingHead

__all__ = ['ATSSGroundingHead']
