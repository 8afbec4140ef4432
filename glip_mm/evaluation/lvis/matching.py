"""Matching of detections with boxes, for all images and categories at once.

A detection is matched with the box of its image and category that has the largest IoU and is not
matched by a better detection. Detections without an IoU above the lowest threshold are irrelevant,
so few remain: they are matched in rounds, the best remaining detection of every image and category
in each, at all areas and thresholds together.

Letters: ``N`` detections, ``G`` boxes, ``E`` (detection, box) couples whose IoU reaches the
lowest threshold, ``A`` ranges of area, ``T`` thresholds.
"""

from collections.abc import Iterator

import numpy as np

from glip_mm.box_iou import paired_iou

#: States of a detection.
UNMATCHED, MATCHED, IGNORED = 0, 1, 2
#: Number of couples whose IoU is computed at once; about 100 bytes each.
COUPLES_AT_ONCE = 500_000


def near_couples(pair: np.ndarray, boxes: np.ndarray, gt_pair: np.ndarray, gt_boxes: np.ndarray,
                 lowest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find detections and boxes of the same image and category with enough IoU.

    Args:
        pair: ``[N]`` image and category of each detection.
        boxes: ``[N, 4]`` xywh boxes of the detections.
        gt_pair: ``[G]`` image and category of each box, ascending.
        gt_boxes: ``[G, 4]`` xywh ground-truth boxes.
        lowest: Lowest IoU threshold.

    Returns:
        Index of the detection, index of the box and IoU, ``[E]`` each, in the order of
        detections and of boxes.
    """
    first = np.searchsorted(gt_pair, pair)
    count = np.searchsorted(gt_pair, pair, side='right') - first
    found = []
    for part in _parts(count):
        repeats = count[part]
        start = np.cumsum(repeats) - repeats
        gt = np.arange(repeats.sum()) + np.repeat(first[part] - start, repeats)
        det = np.repeat(np.arange(part.start, part.stop), repeats)
        # as pycocotools computes it, which makes ties fall alike
        iou = paired_iou(boxes[det].astype(np.float64), gt_boxes[gt], xywh=True)
        near = iou >= lowest
        found.append((det[near], gt[near], iou[near]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    det, gt, iou = (np.concatenate(column) for column in zip(*found))
    return det, gt, iou


def _parts(count: np.ndarray) -> Iterator[slice]:
    total = np.cumsum(count)
    start = 0
    while start < len(count):
        base = total[start - 1] if start else 0
        stop = max(int(np.searchsorted(total, base + COUPLES_AT_ONCE, side='right')), start + 1)
        yield slice(start, stop)
        start = stop


def rounds_of(groups: np.ndarray) -> np.ndarray:
    """Return the rank of each entry within its group, from 0: ``[n]`` -> ``[n]``."""
    order = np.argsort(groups, kind='stable')
    ordered = groups[order]
    rounds = np.empty(len(groups), dtype=np.int64)
    rounds[order] = np.arange(len(groups)) - np.searchsorted(ordered, ordered)
    return rounds


def match(det: np.ndarray, gt: np.ndarray, iou: np.ndarray, gt_pair: np.ndarray,
          gt_ignored: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match detections with boxes.

    A box that counts is preferred to any that is ignored; of equal IoUs the later box in the file
    is matched. Both as in the reference.

    Args:
        det: ``[E]`` index of the detection, ascending; within an image and category a smaller
            index is a better detection.
        gt: ``[E]`` index of the box, ascending within a detection.
        iou: ``[E]`` IoU of the couple.
        gt_pair: ``[G]`` image and category of each box.
        gt_ignored: ``[G, A]`` whether the box is ignored.
        thresholds: ``[T]`` IoU thresholds.

    Returns:
        Indices of the detections that have a couple, ``[C]``, and their states,
        ``[C, A, T]`` uint8.
    """
    candidates, start = np.unique(det, return_index=True)
    A, T = gt_ignored.shape[1], len(thresholds)
    states = np.zeros((len(candidates), A, T), dtype=np.uint8)
    taken = np.zeros((len(gt_pair), A, T), dtype=bool)
    if not len(candidates):
        return candidates, states
    thresholds = np.minimum(thresholds, 1 - 1e-10)
    rounds = rounds_of(gt_pair[gt[start]])
    stop = np.append(start[1:], len(det))
    order = np.argsort(rounds, kind='stable')
    ends = np.cumsum(np.bincount(rounds))
    for begin, end in zip(np.concatenate([[0], ends[:-1]]), ends):
        now = order[begin:end]  # one candidate of each image and category
        length = stop[now] - start[now]
        head = np.cumsum(length) - length
        couple = np.arange(length.sum()) + np.repeat(start[now] - head, length)
        box, value = gt[couple], iou[couple][:, None, None]
        free = ~taken[box] & (value >= thresholds)  # [e, A, T]
        ignored = gt_ignored[box][:, :, None]
        best = _last_best(np.where(free & ~ignored, value, -1.), head, length)
        spare = _last_best(np.where(free & ignored, value, -1.), head, length)
        states[now] = np.where(best >= 0, MATCHED, np.where(spare >= 0, IGNORED, UNMATCHED))
        choice = np.where(best >= 0, best, spare)
        row, area, threshold = np.nonzero(choice >= 0)
        taken[box[choice[row, area, threshold]], area, threshold] = True
    return candidates, states


def _last_best(value: np.ndarray, head: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Find the last largest value of each group of rows; -1 if none is positive."""
    best = np.maximum.reduceat(value, head)
    wins = (value == np.repeat(best, length, axis=0)) & (value > 0)
    rows = np.arange(len(value))[:, None, None]
    return np.maximum.reduceat(np.where(wins, rows, -1), head)
