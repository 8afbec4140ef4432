"""Filtering of a caption's pseudo boxes."""


import numpy as np
import torch
from mmcv.ops import nms
from mmcv.transforms import BaseTransform

from glip_mm.registry import TRANSFORMS

from .box_conventions import to_inclusive


@TRANSFORMS.register_module()
class FilterPseudoBoxes(BaseTransform):
    """Drop pseudo boxes with low scores, and images with too few boxes.

    Place it first in a pipeline: it needs no image, and a rejected image is not read. Rows
    without scores (other than pseudo boxes) pass unchanged. A rejected image is ``None``, as
    everywhere in MMEngine: the data set replaces it by another one.

    In the published order: images with fewer than ``min_boxes`` entries are rejected; boxes must
    score *more* than ``min_score``; images with fewer than ``min_boxes`` left are rejected; then
    class-agnostic NMS is applied (after which the boxes are not counted again).

    Required keys: ``instances`` with ``bbox``, ``bbox_label`` and ``score``.

    Modified keys: ``instances``.

    A phrase without a box does not prove that the image lacks it, yet the losses would
    treat it as background: ``complete`` rejects captions with such a phrase (not published).

    Args:
        min_score: Score threshold; None disables it and NMS, as published. GLIP-L: 0.5.
        nms_iou: IoU threshold of class-agnostic NMS; -1 (GLIP-L) disables it.
        min_boxes: Minimum number of entries, see above.
        count: Entries of the first count: ``'boxes'`` (published format v1) or ``'entities'``
            (v2: phrases, each with a list of boxes).
        complete: Whether every phrase must keep a box.
    """

    def __init__(self, min_score: float | None = 0.5, nms_iou: float = -1, min_boxes: int = 1,
                 count: str = 'boxes', complete: bool = False) -> None:
        if count not in ('boxes', 'entities'):
            raise ValueError("FilterPseudoBoxes.count must be 'boxes' or 'entities', got "
                             f'{count!r}')
        self.min_score, self.nms_iou = min_score, nms_iou
        self.min_boxes, self.count, self.complete = min_boxes, count, complete

    def transform(self, results: dict) -> dict | None:
        """Filter the boxes of a sample.

        Args:
            results: Sample, see the class for its keys.

        Returns:
            The same dict, modified, or None.
        """
        instances: list[dict] = results.get('instances', [])
        if any('score' not in instance for instance in instances):
            return results
        entries = ({instance['bbox_label'] for instance in instances}
                   if self.count == 'entities' else instances)
        if len(entries) < self.min_boxes:
            return None
        if self.min_score is not None:
            instances = [i for i in instances if i['score'] > self.min_score]
            if len(instances) < self.min_boxes:
                return None
            if self.nms_iou > 0:
                instances = suppress(instances, self.nms_iou)
        if self.complete and (results.get('num_without_box') or {
                i['bbox_label'] for i in instances} != set(results.get('phrases', ()))):
            return None
        results['instances'] = instances
        return results


def suppress(instances: list[dict], iou: float) -> list[dict]:
    """Apply class-agnostic NMS to instances, keeping their order.

    As published the IoU is that of the inclusive corners, without counting the last pixel.
    """
    if not instances:
        return instances
    boxes = to_inclusive(np.array([i['bbox'] for i in instances], dtype=np.float32))
    scores = torch.tensor([float(i['score']) for i in instances])
    _, kept = nms(torch.from_numpy(boxes), scores, float(iou))
    return [instances[i] for i in sorted(kept.tolist())]
