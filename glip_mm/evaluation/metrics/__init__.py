"""Metrics of glip_mm."""

from .coco_metric import CocoMetric
from .coco_submission import COCOSubmission
from .description_metric import DescriptionMetric
from .lvis_fixed_ap_metric import LVISFixedAPMetric
from .odinw_metric import ODinWMetric
from .phrase_grounding_metric import PhraseGroundingMetric
from .refcoco_metric import RefCOCOMetric

__all__ = ['COCOSubmission', 'CocoMetric', 'DescriptionMetric', 'LVISFixedAPMetric', 'ODinWMetric',
           'PhraseGroundingMetric', 'RefCOCOMetric']
