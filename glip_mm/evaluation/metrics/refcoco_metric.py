"""Precision at k of referring expressions."""

from collections.abc import Sequence

import numpy as np

from glip_mm.registry import METRICS

from .phrase_grounding_metric import PhraseGroundingMetric, first_hit


@METRICS.register_module()
class RefCOCOMetric(PhraseGroundingMetric):
    """Share of expressions whose object one of the k best boxes hits (RefCOCO, RefCOCO+/g).

    An expression is a whole sentence that refers to one object, so all boxes of the image compete,
    whatever part of the sentence they belong to. A box is a hit if its IoU with the object's box,
    without an extra pixel, is at least 0.5.

    MMDetection's ``RefExpMetric`` computes the same if every image has a detection and all
    three data sets are in the file; it fails on an image without detections, uses the boxes in
    their given order instead of by score, and reports 0 for a missing data set.

    Results: ``Precision@1``, ..., ``upper_bound`` (all boxes) in 0..1, ``num_phrases``; if
    samples have ``dataset_name``, the same for each data set: ``Precision@1/refcoco+``. Samples
    with a ``sentence_id`` count once.

    Args:
        topk: Values of k.
        iou_threshold: IoU threshold of a hit.
        collect_device: Device for collecting results, see MMEngine.
        prefix: Prefix of the result names.
    """

    default_prefix = 'refcoco'
    share = 'Precision'

    def __init__(self, topk: Sequence[int] = (1, 5, 10), iou_threshold: float = 0.5,
                 collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(topk, iou_threshold, 'any', collect_device, prefix)

    def _ranks(self, gt_boxes: np.ndarray, gt_labels: np.ndarray, boxes: np.ndarray,
               labels: np.ndarray, scores: np.ndarray) -> list[tuple[int, ...]]:
        if not len(gt_boxes):
            return []
        return [(first_hit(boxes.reshape(-1, 4), scores, gt_boxes, self.iou_threshold),)]

    def _types(self, sample: dict, gt_labels: np.ndarray) -> list[tuple[str, ...]]:
        name = sample.get('dataset_name')
        return [(name,) if name else ()] if len(gt_labels) else []
