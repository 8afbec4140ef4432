"""Which pseudo boxes of a caption are good enough."""


import numpy as np
import torch
from mmcv.ops import nms
from mmcv.transforms import BaseTransform

from glip_mm.registry import TRANSFORMS

from .box_conventions import to_inclusive


@TRANSFORMS.register_module()
class FilterPseudoBoxes(BaseTransform):
    """Leave out boxes a teacher was not sure of, and images with too few of them.

    Stands first in a pipeline: it needs no image, and an image it rejects is not read. Rows
    without scores (other than pseudo boxes) pass unchanged. A rejected image is ``None``, as
    everywhere in MMEngine: the data set takes another one.

    In the published order: images with fewer than ``min_boxes`` entries are rejected; boxes must
    score *more* than ``min_score``; images with fewer than ``min_boxes`` left are rejected; then
    boxes are suppressed across classes (after which nothing is counted any more).

    Required keys: ``instances`` with ``bbox``, ``bbox_label`` and ``score``.

    Modified keys: ``instances``.

    A phrase without a box is no proof that nothing in the image is called so, yet the losses would
    teach just that: ``complete`` rejects captions with such a phrase (not published).

    Args:
        min_score: None for no screening by score, nor suppression, as published. GLIP-L: 0.5.
        nms_iou: Boxes that overlap a better one by more are left out; -1 (GLIP-L) for never.
        min_boxes: See above.
        count: Of what the first count is: ``'boxes'`` (published format v1) or ``'entities'``
            (v2: phrases, each with a list of boxes).
        complete: Whether every phrase must have a box left.
    """

    def __init__(self, min_score: float | None = 0.5, nms_iou: float = -1, min_boxes: int = 1,
                 count: str = 'boxes', complete: bool = False) -> None:
        if count not in ('boxes', 'entities'):
            raise ValueError("FilterPseudoBoxes.count must be 'boxes' or 'entities', got "
                             f'{count!r}')
        self.min_score, self.nms_iou = min_score, nms_iou
        self.min_boxes, self.count, self.complete = min_boxes, count, complete

    def transform(self, results: dict) -> dict | None:
        """Filter.

        Args:
            results: See the class.

        Returns:
            The same dict, or None.
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
    """Instances that no better one overlaps by more than ``iou``, in their order.

    As published the overlap is that of the inclusive corners, without counting the last pixel.
    """
    if not instances:
        return instances
    boxes = to_inclusive(np.array([i['bbox'] for i in instances], dtype=np.float32))
    scores = torch.tensor([float(i['score']) for i in instances])
    _, kept = nms(torch.from_numpy(boxes), scores, float(iou))
    return [instances[i] for i in sorted(kept.tolist())]
