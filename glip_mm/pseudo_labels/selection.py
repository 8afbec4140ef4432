"""Selection of the teacher's boxes that become labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glip_mm.box_iou import box_iou


class BoxSelection(NamedTuple):
    """Criteria for boxes to become labels.

    Attributes:
        threshold: Score threshold (exclusive); 0.5 as published.
        top_k: Maximum number of boxes per phrase; 0: all.
        nms_iou: IoU threshold of NMS within a phrase.
        min_size: Minimum width and height in pixels of the image.
        cross_nms: IoU threshold of cross-phrase NMS: a box is assigned only to the phrase with the
            best score there ("a red ball and a bat": the ball is not the bat); 0: phrases may share
            boxes, as published.
        counts: Whether to limit the boxes of a phrase by the number in the caption ("a dog", "two
            dogs", see :func:`~.counts.said_count`).
    """

    threshold: float = 0.5
    top_k: int = 0
    nms_iou: float = 0.6
    min_size: float = 1.0
    cross_nms: float = 0.0
    counts: bool = False

    def choose(self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray,
               limits: Sequence[int | None], thresholds: Sequence[float] | None = None
               ) -> list[np.ndarray]:
        """Select the indices of each phrase's boxes, best first.

        Args:
            boxes: ``[n, 4]`` xyxy, after NMS at ``nms_iou`` within each phrase.
            scores: ``[n]``, best first.
            labels: ``[n]``, index of the phrase.
            limits: Number of objects of each phrase; None: the caption does not say.
            thresholds: Score threshold of each phrase; default: the same of all.
        """
        least = self.threshold if thresholds is None else np.asarray(thresholds)[labels]
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
        good = (scores > least) & (sides >= self.min_size)
        if self.cross_nms:
            good &= _best_of_all_phrases(boxes, labels, self.cross_nms)
        chosen = [np.flatnonzero(good & (labels == phrase)) for phrase in range(len(limits))]
        if self.counts:
            chosen = [index[:limit] for index, limit in zip(chosen, limits)]
        return [index[:self.top_k] if self.top_k else index for index in chosen]


def _best_of_all_phrases(boxes: np.ndarray, labels: np.ndarray, iou: float) -> np.ndarray:
    """Apply cross-phrase NMS to sorted boxes and return the mask of the kept ones."""
    overlaps = box_iou(boxes, boxes) > iou
    overlaps &= labels[:, None] != labels
    kept = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if kept[i]:
            kept[i + 1:] &= ~overlaps[i, i + 1:]
    return kept


def grounding_record(caption: str, phrases: Sequence[tuple[str, tuple[int, int]]],
                     boxes: np.ndarray, scores: np.ndarray,
                     chosen: Sequence[np.ndarray]) -> dict:
    """Build the ``grounding`` part of an ODVG row.

    Args:
        caption: The whole caption.
        phrases: Words and span [begin, end) of each phrase.
        boxes: ``[n, 4]`` xyxy in pixels.
        scores: ``[n]``.
        chosen: Indices of each phrase's boxes.

    Returns:
        ``caption``, ``regions`` (a phrase, its boxes and their scores) and ``without_box``, the
        phrases without boxes.
    """
    regions, without = [], []
    for (words, span), index in zip(phrases, chosen):
        entry = dict(phrase=words, tokens_positive=[list(span)])
        if len(index):
            entry.update(bbox=boxes[index].astype(float).round(2).tolist(),
                         score=scores[index].astype(float).round(4).tolist())
            regions.append(entry)
        else:
            without.append(entry)
    return dict(caption=caption, regions=regions, without_box=without)


def detection_record(names: Sequence[str], boxes: np.ndarray, scores: np.ndarray,
                     labels: np.ndarray, chosen: Sequence[np.ndarray]) -> dict:
    """Build the ``detection`` part of an ODVG row, best boxes first.

    Args:
        names: Names of the classes.
        boxes: ``[n, 4]`` xyxy in pixels, best first.
        scores: ``[n]``.
        labels: ``[n]``, indices into ``names``.
        chosen: Indices of each class's boxes.
    """
    return dict(instances=[
        dict(bbox=boxes[i].astype(float).round(2).tolist(), label=int(labels[i]),
             category=names[labels[i]], score=round(float(scores[i]), 4))
        for i in sorted(index for of_class in chosen for index in of_class)])
