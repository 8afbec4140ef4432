"""Metrics of glip_mm."""

from .coco_metric import CocoMetric
from .coco_submission import COCOSubmission
from .coco_views_metric import CocoViewsMetric
from .description_metric import DescriptionMetric
from .lvis_fixed_ap_metric import LVISFixedAPMetric
from .odinw_metric import ODinWMetric
from .phrase_grounding_metric import PhraseGroundingMetric
from .refcoco_metric import RefCOCOMetric

__all__ = ['COCOSubmission', 'CocoMetric', 'CocoViewsMetric', 'DescriptionMetric',
           'LVISFixedAPMetric', 'ODinWMetric', 'PhraseGroundingMetric', 'RefCOCOMetric']
