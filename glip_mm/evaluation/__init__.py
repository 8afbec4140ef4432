"""Evaluation. Importing MMDetection's makes its parts findable through our registries."""

import mmdet.evaluation  # noqa: F401

from .metrics import (
    CocoMetric,
    COCOSubmission,
    CocoViewsMetric,
    DescriptionMetric,
    LVISFixedAPMetric,
    ODinWMetric,
    PhraseGroundingMetric,
    RefCOCOMetric,
)

__all__ = ['COCOSubmission', 'CocoMetric', 'CocoViewsMetric', 'DescriptionMetric',
           'LVISFixedAPMetric', 'ODinWMetric', 'PhraseGroundingMetric', 'RefCOCOMetric']
