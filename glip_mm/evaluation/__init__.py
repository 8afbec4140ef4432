"""Evaluation. Importing MMDetection's makes its parts findable through our registries."""

import mmdet.evaluation  # noqa: F401

from .metrics import ODinWMetric, PhraseGroundingMetric

__all__ = ['ODinWMetric', 'PhraseGroundingMetric']
