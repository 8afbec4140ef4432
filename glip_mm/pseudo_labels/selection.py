"""Which of a teacher's boxes become labels."""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np


class BoxSelection(NamedTuple):
    """What a box must be to become a label.

    Attributes:
        threshold: Boxes must score more; 0.5 as published.
        top_k: Most boxes of a phrase; 0: all.
        nms_iou: Boxes of one phrase that overlap a better one by more are left out.
        min_size: Least width and height in pixels of the image.
    """

    threshold: float = 0.5
    top_k: int = 0
    nms_iou: float = 0.6
    min_size: float = 1.0

    def choose(self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray,
               num_phrases: int) -> List[np.ndarray]:
        """Indices of the boxes of each phrase, best first.

        Args:
            boxes: ``[n, 4]`` xyxy, one phrase's already suppressed at ``nms_iou``.
            scores: ``[n]``, best first.
            labels: ``[n]``, index of the phrase.
            num_phrases: Number of phrases.
        """
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
        good = (scores > self.threshold) & (sides >= self.min_size)
        chosen = [np.flatnonzero(good & (labels == phrase)) for phrase in range(num_phrases)]
        return [index[:self.top_k] if self.top_k else index for index in chosen]


def grounding_record(caption: str, phrases: Sequence[Tuple[str, Tuple[int, int]]],
                     boxes: np.ndarray, scores: np.ndarray,
                     chosen: Sequence[np.ndarray]) -> dict:
    """``grounding`` of an ODVG row.

    Args:
        caption: The whole caption.
        phrases: Words and [begin, end) of each phrase.
        boxes: ``[n, 4]`` xyxy in pixels.
        scores: ``[n]``.
        chosen: Indices of each phrase's boxes.

    Returns:
        ``caption``, ``regions`` (a phrase, its boxes and their scores) and ``without_box``, the
        phrases that have none.
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
