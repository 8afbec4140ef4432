"""From dense head outputs to detections, by the published protocol."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .inclusive_boxes import class_aware_nms, clip, decode
from .score_aggregation import aggregate_scores


class LevelOutput(NamedTuple):
    """Dense outputs of one level, ``A`` anchors.

    Attributes:
        logits: ``[B, A, L]`` region-word logits.
        deltas: ``[B, A, 4]`` encoded boxes.
        centerness: ``[B, A]`` logits.
        anchors: ``[A, 4]`` inclusive xyxy.
    """

    logits: Tensor
    deltas: Tensor
    centerness: Tensor
    anchors: Tensor


def select_detections(levels: Sequence[LevelOutput], token_map: Tensor,
                      image_sizes: Sequence[Tuple[int, int]], score_thr: float = 0.05,
                      nms_pre: int = 1000, iou_threshold: Optional[float] = 0.6,
                      max_per_img: int = 100, score_agg: str = 'MEAN') -> List[InstanceData]:
    """Threshold, rank, decode and suppress.

    Candidates are (anchor, entity) pairs whose entity score alone exceeds the threshold; the
    best ``nms_pre`` of a level are taken by score x centerness, whose root is the final score.
    Thresholding the product or ranking by score alone changes published results.

    Args:
        levels: Outputs of all levels.
        token_map: ``[B, E, L]`` 0/1, tokens of each entity.
        image_sizes: (height, width) of each image without padding.
        score_thr: Threshold on the entity score.
        nms_pre: Candidates kept per level and image.
        iou_threshold: For suppression within an entity; None keeps every candidate.
        max_per_img: Detections kept per image; -1: all.
        score_agg: See :func:`aggregate_scores`.

    Returns:
        For each image ``bboxes`` ``[n, 4]`` (inclusive xyxy), ``scores`` and ``labels``, best
        first.
    """
    used = token_map.any(dim=1).any(dim=0)  # columns no entity owns are never looked at
    if score_agg == 'ONEHOT':
        used = torch.ones_like(used)
    columns = used.nonzero().squeeze(1)
    token_map = token_map[..., columns].float()
    found: List[List[Tuple[Tensor, ...]]] = [[] for _ in image_sizes]
    for level in levels:
        probs = level.logits[..., columns].float().sigmoid()
        scores = aggregate_scores(probs, token_map, score_agg)  # [B, A, E]
        ranked = scores * level.centerness.float().sigmoid()[..., None]
        ranked = ranked.masked_fill(scores <= score_thr, -1).flatten(1)
        best, index = ranked.topk(min(nms_pre, ranked.shape[1]), dim=1)
        num_entities = token_map.shape[1]
        for i, size in enumerate(image_sizes):
            kept = best[i] >= 0
            pair = index[i][kept]
            anchor = pair // num_entities
            boxes = decode(level.anchors[anchor], level.deltas[i, anchor].float())
            found[i].append((clip(boxes, *size), best[i][kept].sqrt(), pair % num_entities))
    results = []
    for per_level in found:
        boxes, scores, labels = (torch.cat(parts) for parts in zip(*per_level))
        kept = (scores.argsort(descending=True, stable=True) if iou_threshold is None
                else class_aware_nms(boxes, scores, labels, iou_threshold))
        kept = kept[:max_per_img] if max_per_img >= 0 else kept
        results.append(InstanceData(bboxes=boxes[kept], scores=scores[kept], labels=labels[kept]))
    return results


def merge_chunks(found: InstanceData, iou_threshold: Optional[float] = None,
                 max_per_img: int = -1) -> InstanceData:
    """Detections of one image from several chunks of a vocabulary, best first.

    A name is asked for in one chunk only, so suppression within a name happened there. What is
    left to suppress is one object under several names.

    Args:
        found: ``bboxes`` ``[n, 4]`` (inclusive xyxy), ``scores`` and ``labels``.
        iou_threshold: Suppress across names above it. Default: not at all, as published.
        max_per_img: Detections kept of all chunks together. Default: all, as published.

    Returns:
        The detections that are left.
    """
    order = found.scores.argsort(descending=True, stable=True)
    if iou_threshold is not None:
        order = class_aware_nms(found.bboxes, found.scores, torch.zeros_like(found.labels),
                                iou_threshold)
    return found[order[:max_per_img] if max_per_img >= 0 else order]
