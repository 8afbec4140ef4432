"""Intersection over union of boxes in NumPy."""

import numpy as np


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU of every pair of half-open xyxy boxes, ``[N, 4]`` x ``[M, 4]`` -> ``[N, M]``.

    Example:
        >>> box_iou(np.array([[0, 0, 4, 4]]), np.array([[0, 0, 4, 2], [4, 0, 8, 4]]))
        array([[0.5, 0. ]])
    """
    return paired_iou(boxes[:, None], others[None])


def paired_iou(boxes: np.ndarray, others: np.ndarray, xywh: bool = False) -> np.ndarray:
    """Return the IoU of boxes one by one, ``[..., 4]`` and ``[..., 4]`` -> ``[...]``, broadcast.

    Args:
        boxes: Half-open boxes, xyxy.
        others: Likewise.
        xywh: Whether boxes are corner and size instead; the operations and their order are then
            those of pycocotools' ``iou``, so that equal IoUs are equal in both.
    """
    inter: np.ndarray | float = 1.
    area: np.ndarray | float = 1.
    other_area: np.ndarray | float = 1.
    for axis in (0, 1):
        # columns, since arrays whose last axis has two elements are slow
        begin, end = boxes[..., axis], boxes[..., axis + 2]
        other_begin, other_end = others[..., axis], others[..., axis + 2]
        if xywh:
            side, other_side = end, other_end
            end, other_end = end + begin, other_end + other_begin
        else:
            side, other_side = end - begin, other_end - other_begin
        area, other_area = area * side, other_area * other_side
        inter = inter * np.maximum(np.minimum(end, other_end) - np.maximum(begin, other_begin), 0)
    return inter / np.where(inter > 0, area + other_area - inter, 1)


def outscored(boxes: np.ndarray, scores: np.ndarray, others: np.ndarray, other_scores: np.ndarray,
              iou: float = 0.5) -> np.ndarray:
    """Return the mask of boxes that another one of at least their score names, too, ``[N]``.

    Args:
        boxes: Half-open xyxy boxes, ``[N, 4]``.
        scores: ``[N]``.
        others: Boxes of names that compete with theirs, ``[M, 4]``.
        other_scores: ``[M]``.
        iou: Least IoU of two boxes of the same thing.
    """
    rivals = (box_iou(boxes, others) >= iou) & (scores[:, None] <= other_scores)
    return rivals.sum(axis=1) > 0
