"""LVIS protocol: detection AP on images that are annotated for some categories only."""

from .average_precision import LVISResult, lvis_ap
from .detections import (
    Detections,
    DetectionStore,
    detections_of_results,
    most_per_category,
    most_per_image,
)
from .ground_truth import LVISGroundTruth

__all__ = ['DetectionStore', 'Detections', 'LVISGroundTruth', 'LVISResult',
           'detections_of_results', 'lvis_ap', 'most_per_category', 'most_per_image']
