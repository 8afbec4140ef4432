"""The one place that knows GLIP's inclusive pixel boxes.

Released checkpoints were trained with boxes whose right and lower edges are the last pixel
*inside*: width = x2 - x1 + 1. MMDetection's boxes are half open: width = x2 - x1. Everything
between :func:`to_inclusive` and :func:`to_half_open` is inclusive; anchors, encoding, decoding,
matching and suppression all add the 1. Without it boxes are off by about a pixel and anchors
are matched differently from the way the checkpoints were trained.
"""

import math
from typing import Sequence

import torch
from mmcv.ops import nms
from torch import Tensor

#: Weights of (dx, dy, dw, dh) in the regression targets.
CODER_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
#: Largest dw, dh before the exponential; there is no lower limit.
MAX_LOG_RATIO = math.log(1000 / 16)


def to_inclusive(boxes: Tensor) -> Tensor:
    """MMDetection's xyxy ``[..., 4]`` to inclusive xyxy."""
    return boxes - boxes.new_tensor((0, 0, 1, 1))


def to_half_open(boxes: Tensor) -> Tensor:
    """Inclusive xyxy ``[..., 4]`` to MMDetection's xyxy."""
    return boxes + boxes.new_tensor((0, 0, 1, 1))


def to_original_frame(boxes: Tensor, scale_factor: Sequence[float]) -> Tensor:
    """Inclusive xyxy ``[..., 4]`` of a resized image to MMDetection's xyxy of the original.

    The published evaluation adds the pixel after scaling back.
    """
    return to_half_open(boxes / boxes.new_tensor(scale_factor).repeat(2))


def _centre_and_size(boxes: Tensor) -> Tensor:
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, size), dim=1)


def encode(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Regression targets of boxes relative to anchors.

    Args:
        anchors: ``[P, 4]`` inclusive xyxy.
        boxes: ``[P, 4]`` inclusive xyxy.

    Returns:
        ``[P, 4]`` (dx, dy, dw, dh), weighted by ``CODER_WEIGHTS``.
    """
    a, b = _centre_and_size(anchors), _centre_and_size(boxes)
    deltas = torch.cat(((b[:, :2] - a[:, :2]) / a[:, 2:], (b[:, 2:] / a[:, 2:]).log()), dim=1)
    return deltas * deltas.new_tensor(CODER_WEIGHTS)


def decode(anchors: Tensor, deltas: Tensor) -> Tensor:
    """Inverse of :func:`encode`.

    Args:
        anchors: ``[P, 4]`` inclusive xyxy.
        deltas: ``[P, 4]``.

    Returns:
        ``[P, 4]`` inclusive xyxy, possibly inverted by a pixel where a box vanishes.
    """
    a = _centre_and_size(anchors)
    deltas = deltas / deltas.new_tensor(CODER_WEIGHTS)
    centre = deltas[:, :2] * a[:, 2:] + a[:, :2]
    half = (deltas[:, 2:].clamp(max=MAX_LOG_RATIO).exp() * a[:, 2:] - 1) / 2
    return torch.cat((centre - half, centre + half), dim=1)


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """Limit inclusive boxes ``[P, 4]`` to the pixels of an image."""
    limit = boxes.new_tensor((width - 1, height - 1, width - 1, height - 1))
    return torch.minimum(boxes, limit).clamp(min=0)


def class_aware_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Greedy suppression within each label at IoU (with the +1) above the threshold.

    Args:
        boxes: ``[P, 4]`` inclusive xyxy.
        scores: ``[P]``.
        labels: ``[P]``.
        iou_threshold: In [0, 1]; equal IoU is kept.

    Returns:
        Indices of the kept boxes, best score first.
    """
    if boxes.is_cuda:
        return nms_at_once(boxes, scores, labels, iou_threshold)
    kept = []
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        _, order = nms(boxes[members], scores[members], iou_threshold, offset=1)
        kept.append(members[order])
    if not kept:
        return labels.new_zeros(0)
    index = torch.cat(kept)
    return index[scores[index].argsort(descending=True, stable=True)]


def nms_at_once(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """:func:`class_aware_nms` of all labels together, for a GPU, where a loop waits at each label.

    A box stays if no better one that stays suppresses it. Assuming that all stay and applying this
    again and again settles the best box in the first round, those it decides about in the second,
    and so on: the greedy result, after as many rounds as the longest chain has boxes.

    Moving the labels apart in the plane, as MMCV's ``batched_nms`` does, would round coordinates.
    """
    order = scores.argsort(descending=True, stable=True)
    suppresses = (inclusive_iou(boxes[order]) > iou_threshold).triu(diagonal=1)
    suppresses &= labels[order][:, None] == labels[order]
    suppresses = suppresses.to(boxes.dtype)
    stays = boxes.new_ones(len(boxes))
    while True:
        settled = ((stays @ suppresses) == 0).to(boxes.dtype)
        if torch.equal(settled, stays):
            return order[stays.bool()]
        stays = settled


def inclusive_iou(boxes: Tensor) -> Tensor:
    """IoU of inclusive boxes ``[P, 4]`` with each other, ``[P, P]``, in the operations of MMCV."""
    area = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    low = torch.maximum(boxes[:, None, :2], boxes[:, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    inter = (high - low + 1).clamp(min=0).prod(dim=2)
    return inter / (area[:, None] + area - inter)
