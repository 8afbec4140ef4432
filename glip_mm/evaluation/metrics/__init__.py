"""Metrics of glip_mm; COCO AP is MMDetection's."""

from .odinw_metric import ODinWMetric
from .phrase_grounding_metric import PhraseGroundingMetric

__all__ = ['ODinWMetric', 'PhraseGroundingMetric']
