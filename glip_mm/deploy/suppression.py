"""From candidates to detections, in PyTorch: what an exported model without NMS leaves to do."""

from collections.abc import Sequence
from typing import NamedTuple

from mmengine.structures import InstanceData
from torch import Tensor

from glip_mm.models import GLIP
from glip_mm.models.dense_heads.detection_selection import keep_best, merge_chunks
from glip_mm.models.dense_heads.inclusive_boxes import clip, to_half_open, to_inclusive


class Suppression(NamedTuple):
    """Thresholds and limits of the NMS; a part of the model's ``test_cfg``.

    Attributes:
        iou_threshold: threshold of the NMS within a name; None: no NMS.
        max_per_img: Detections of one prompt; -1: all.
        merge_iou_threshold: Between names, if there are several prompts; None: none.
        merge_max_per_img: Detections of all prompts; -1: all.
    """

    iou_threshold: float | None = 0.6
    max_per_img: int = 100
    merge_iou_threshold: float | None = None
    merge_max_per_img: int = -1

    @classmethod
    def of(cls, model: GLIP) -> 'Suppression':
        """Return the settings of a model."""
        settings = model.test_cfg
        return cls(settings.iou_threshold, settings.max_per_img,
                   settings.chunk_merge.iou_threshold, settings.chunk_merge.max_per_img)


#: That of the released configs.
DEFAULT = Suppression()


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, rule: Suppression = DEFAULT,
             shown: Sequence[int] | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Apply NMS to the candidates of one image.

    The model limits boxes to the image before it compares them, so the image's size must be known
    here where the input holds padding, too.

    Args:
        boxes: ``[K, M, 4]`` half open xyxy, candidates of ``K`` prompts.
        scores: ``[K, M]``; 0: no candidate.
        labels: ``[K, M]``; a label occurs in one prompt.
        rule: Thresholds and limits.
        shown: Height and width of the image in the input; default: all of it.

    Returns:
        Boxes ``[n, 4]``, scores ``[n]`` and labels ``[n]``, best first.
    """
    missing = scores <= 0
    boxes = to_inclusive(boxes)
    if shown is not None:
        boxes = clip(boxes.flatten(0, 1), *shown).view_as(boxes)
    parts = keep_best(boxes, scores.masked_fill(missing, -1),
                      labels.masked_fill(missing, -1), rule.iou_threshold, rule.max_per_img)
    found = InstanceData.cat(parts)
    if len(parts) > 1:
        found = merge_chunks(found, rule.merge_iou_threshold, rule.merge_max_per_img)
    return to_half_open(found.bboxes), found.scores, found.labels
