"""Metrics of glip_mm."""

from .coco_metric import CocoMetric
from .lvis_fixed_ap_metric import LVISFixedAPMetric
from .odinw_metric import ODinWMetric
from .phrase_grounding_metric import PhraseGroundingMetric
from .refcoco_metric import RefCOCOMetric

__all__ = ['CocoMetric', 'LVISFixedAPMetric', 'ODinWMetric', 'PhraseGroundingMetric',
           'RefCOCOMetric']
