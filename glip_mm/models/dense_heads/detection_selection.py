"""From dense head outputs to detections, by the published protocol."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from glip_mm.ops.number_format import without_autocast

from .inclusive_boxes import best_first, class_aware_nms, clip, decode, unsuppressed
from .prediction_settings import PredictionSettings
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
                      image_sizes: Sequence[tuple[int, int]],
                      settings: PredictionSettings | None = None) -> list[InstanceData]:
    """Threshold, rank and decode candidates, and apply NMS.

    Candidates are (anchor, entity) pairs whose entity score alone exceeds the threshold; the
    best ``nms_pre`` of a level are taken by score x centerness, whose root is the final score.
    Thresholding the product or ranking by score alone changes published results.

    Args:
        levels: Outputs of all levels.
        token_map: ``[B, E, L]`` 0/1, tokens of each entity; on the CPU, so that finding the used
            columns needs no host-device synchronisation.
        image_sizes: (height, width) of each image without padding.
        settings: thresholds and limits; default: the published ones.

    Returns:
        For each image ``bboxes`` ``[n, 4]`` (inclusive xyxy), ``scores`` and ``labels``, best
        first.
    """
    settings = settings or PredictionSettings()
    boxes, scores, labels = rank_candidates(levels, token_map, image_sizes, settings)
    return keep_best(boxes, scores, labels, settings.iou_threshold, settings.max_per_img)


def rank_candidates(levels: Sequence[LevelOutput], token_map: Tensor,
                    image_sizes: Sequence[tuple[int, int]], settings: PredictionSettings
                    ) -> tuple[Tensor, Tensor, Tensor]:
    """Decode the best ``nms_pre`` pairs of each level, without host-device synchronisation.

    The arguments are those of :func:`select_detections`.

    Returns:
        Boxes ``[B, K, 4]`` (inclusive xyxy), scores ``[B, K]`` and labels ``[B, K]``, level after
        level; score and label are -1 where there is no candidate.
    """
    columns = used_columns(token_map, settings.score_agg)
    token_map = token_map[..., columns].float()
    columns, token_map = (t.to(levels[0].logits.device, non_blocking=True)
                          for t in (columns, token_map))
    found = [rank_level(level._replace(logits=level.logits[..., columns]), token_map, settings)
             for level in levels]
    boxes, scores, labels = (torch.cat(parts, dim=1) for parts in zip(*found))
    boxes = torch.stack([clip(b, *size) for b, size in zip(boxes, image_sizes)])
    return boxes, scores, labels


def used_columns(token_map: Tensor, score_agg: str) -> Tensor:
    """Return the indices of the tokens ``[B, E, L]`` that a score depends on."""
    used = token_map.any(dim=1).any(dim=0)
    if score_agg == 'ONEHOT':
        used = torch.ones_like(used)
    return used.nonzero().squeeze(1)


def rank_level(level: LevelOutput, token_map: Tensor, settings: PredictionSettings,
               fixed_count: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Take the best ``nms_pre`` pairs (anchor, entity) of a level and decode them.

    Args:
        level: Outputs of a level; boxes and centerness of one image may go with the logits of
            several prompts.
        token_map: ``[B, E, L]`` float, tokens of each entity.
        settings: threshold, limit and aggregation.
        fixed_count: return ``nms_pre`` pairs whatever the size of the level, as exports need it.

    Returns:
        Boxes ``[B, k, 4]`` (inclusive xyxy, not clipped), scores ``[B, k]`` and labels ``[B, k]``,
        which are -1 where there is no candidate.
    """
    num_entities = token_map.shape[1]
    # autocast would round the scores of a matrix product to a few digits, and many to one value
    with without_autocast(level.logits.device.type):
        scores = aggregate_scores(level.logits.float().sigmoid(), token_map, settings.score_agg)
    ranked = scores * level.centerness.float().sigmoid()[..., None]  # [B, A, E]
    ranked = ranked.masked_fill(scores <= settings.score_thr, -1).flatten(1)
    if fixed_count:
        ranked, count = F.pad(ranked, (0, settings.nms_pre), value=-1.0), settings.nms_pre
    elif settings.nms_pre < 0:
        count = ranked.shape[1]
    else:
        count = min(settings.nms_pre, ranked.shape[1])
    best, index = (ranked.topk(count, dim=1) if fixed_count or not ranked.is_cpu
                   else best_candidates(ranked, count))  # [B, k]
    missing = best < 0
    if fixed_count:
        index = index.masked_fill(missing, 0)  # what was added is no anchor
    anchor = index // num_entities
    deltas = level.deltas.expand(len(anchor), -1, -1)
    deltas = deltas.gather(1, anchor[..., None].expand(-1, -1, 4)).float()
    boxes = decode(level.anchors[anchor].flatten(0, 1), deltas.flatten(0, 1))
    return (boxes.view_as(deltas), best.sqrt().masked_fill(missing, -1),
            (index % num_entities).masked_fill(missing, -1))


def best_candidates(ranked: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Compute what ``topk(count)`` of a tensor ``[B, n]`` does, without the end that is negative.

    Few pairs are candidates: sorting these alone takes a tenth of the time.

    Returns:
        Values and indices ``[B, k]``, ``k <= count``; values are -1 where there is none.
    """
    rows, columns = (ranked >= 0).nonzero(as_tuple=True)
    per_row = columns.split(torch.bincount(rows, minlength=len(ranked)).tolist())
    index = pad_sequence(per_row, batch_first=True, padding_value=-1)
    values = ranked.gather(1, index.clamp(min=0)).masked_fill(index < 0, -1)
    best, order = values.topk(min(count, values.shape[1]), dim=1)
    return best, index.gather(1, order).clamp(min=0)


def keep_best(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float | None,
              max_per_img: int) -> list[InstanceData]:
    """Apply NMS within each entity, and the limit of detections.

    Args:
        boxes: ``[B, K, 4]`` inclusive xyxy.
        scores: ``[B, K]``.
        labels: ``[B, K]``; -1: no candidate.
        iou_threshold: threshold of the NMS; None: no NMS.
        max_per_img: detections kept of each image; -1: all.

    Returns:
        See :func:`select_detections`.
    """
    most = int((labels >= 0).sum(dim=1).max())
    order = (scores.argsort(dim=1, descending=True, stable=True) if iou_threshold is None
             else best_first(scores, labels))[:, :most]
    scores, labels = scores.gather(1, order), labels.gather(1, order)
    boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
    stays = (labels >= 0 if iou_threshold is None
             else unsuppressed(boxes, labels, iou_threshold))
    if max_per_img >= 0:
        stays &= stays.cumsum(dim=1) <= max_per_img
    order = stays.byte().argsort(dim=1, descending=True, stable=True)
    results = []
    for i, count in enumerate(stays.sum(dim=1).tolist()):
        kept = order[i, :count]
        results.append(InstanceData(bboxes=boxes[i, kept], scores=scores[i, kept],
                                    labels=labels[i, kept]))
    return results


def merge_chunks(found: InstanceData, iou_threshold: float | None = None,
                 max_per_img: int = -1) -> InstanceData:
    """Merge the detections of an image from several chunks of a vocabulary, best first.

    A name is asked for in one chunk only, so NMS within a name happened there. What is left
    is one object under several names.

    Args:
        found: ``bboxes`` ``[n, 4]`` (inclusive xyxy), ``scores`` and ``labels``.
        iou_threshold: threshold of the NMS across names. Default: no NMS, as published.
        max_per_img: detections kept of all chunks together. Default: all, as published.

    Returns:
        The detections that are left.
    """
    order = found.scores.argsort(descending=True, stable=True)
    if iou_threshold is not None:
        order = class_aware_nms(found.bboxes, found.scores, torch.zeros_like(found.labels),
                                iou_threshold)
    return found[order[:max_per_img] if max_per_img >= 0 else order]
