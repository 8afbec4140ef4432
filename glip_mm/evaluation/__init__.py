"""Evaluation. Importing MMDetection's makes its parts findable through our registries."""

import mmdet.evaluation  # noqa: F401

from .metrics import (
    CocoMetric,
    LVISFixedAPMetric,
    ODinWMetric,
    PhraseGroundingMetric,
    RefCOCOMetric,
)

__all__ = ['CocoMetric', 'LVISFixedAPMetric', 'ODinWMetric', 'PhraseGroundingMetric',
           'RefCOCOMetric']
