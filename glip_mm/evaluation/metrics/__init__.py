"""Metrics of glip_mm; COCO AP is MMDetection's."""

from .phrase_grounding_metric import PhraseGroundingMetric

__all__ = ['PhraseGroundingMetric']
