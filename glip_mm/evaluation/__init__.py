"""Evaluation. Importing MMDetection's makes its parts findable through our registries."""

import mmdet.evaluation  # noqa: F401

from .metrics import LVISFixedAPMetric, ODinWMetric, PhraseGroundingMetric, RefCOCOMetric

__all__ = ['LVISFixedAPMetric', 'ODinWMetric', 'PhraseGroundingMetric', 'RefCOCOMetric']
