"""The one place that knows GLIP's inclusive pixel boxes.

Released checkpoints were trained with boxes whose right and lower edges are the last pixel
*inside*: width = x2 - x1 + 1. MMDetection's boxes are half open: width = x2 - x1. Everything
between :func:`to_inclusive` and :func:`to_half_open` is inclusive; anchors, encoding, decoding,
matching and suppression all add the 1. Without it boxes are off by about a pixel and anchors
are matched differently from the way the checkpoints were trained.

Constants are Python numbers here: making a tensor of them would copy it to the GPU each time.
"""

import math
from collections.abc import Sequence

import torch
from mmcv.ops import nms
from torch import Tensor

from glip_mm.ops.nms import greedy, pairwise_iou

#: Weights of (dx, dy) and of (dw, dh) in the regression targets.
CODER_WEIGHTS = (10.0, 5.0)
#: Largest dw, dh before the exponential; there is no lower limit.
MAX_LOG_RATIO = math.log(1000 / 16)
#: Pairs of boxes that a GPU compares at once: about a gigabyte of memory. An image with more, as
#: from the views of test-time augmentation, is treated label by label.
PAIRS_AT_ONCE = 1 << 25
#: Labels with more boxes are treated one by one.
BOXES_AT_ONCE = 128
#: Labels of about as many boxes that are treated together.
LABELS_AT_ONCE = 64


def to_inclusive(boxes: Tensor) -> Tensor:
    """Convert MMDetection's xyxy ``[..., 4]`` to inclusive xyxy."""
    return torch.cat((boxes[..., :2], boxes[..., 2:] - 1), dim=-1)


def to_half_open(boxes: Tensor) -> Tensor:
    """Convert inclusive xyxy ``[..., 4]`` to MMDetection's xyxy."""
    return torch.cat((boxes[..., :2], boxes[..., 2:] + 1), dim=-1)


def to_original_frame(boxes: Tensor, scale_factor: Sequence[float]) -> Tensor:
    """Convert inclusive xyxy ``[..., 4]`` of a resized image to MMDetection's of the original.

    The published evaluation adds the pixel after scaling back.
    """
    x, y = (boxes[..., i::2] / scale for i, scale in enumerate(scale_factor))
    return to_half_open(torch.stack((x, y), dim=-1).flatten(-2))


def _centre_and_size(boxes: Tensor) -> Tensor:
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, size), dim=1)


def encode(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Encode boxes relative to anchors, as regression targets.

    Args:
        anchors: ``[P, 4]`` inclusive xyxy.
        boxes: ``[P, 4]`` inclusive xyxy.

    Returns:
        ``[P, 4]`` (dx, dy, dw, dh), weighted by ``CODER_WEIGHTS``.
    """
    a, b = _centre_and_size(anchors), _centre_and_size(boxes)
    xy, wh = CODER_WEIGHTS
    return torch.cat(((b[:, :2] - a[:, :2]) / a[:, 2:] * xy,
                      (b[:, 2:] / a[:, 2:]).log() * wh), dim=1)


def decode(anchors: Tensor, deltas: Tensor) -> Tensor:
    """Decode boxes: the inverse of :func:`encode`.

    Args:
        anchors: ``[P, 4]`` inclusive xyxy.
        deltas: ``[P, 4]``.

    Returns:
        ``[P, 4]`` inclusive xyxy, possibly inverted by a pixel where a box vanishes.
    """
    a = _centre_and_size(anchors)
    xy, wh = CODER_WEIGHTS
    centre = deltas[:, :2] / xy * a[:, 2:] + a[:, :2]
    half = ((deltas[:, 2:] / wh).clamp(max=MAX_LOG_RATIO).exp() * a[:, 2:] - 1) / 2
    return torch.cat((centre - half, centre + half), dim=1)


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """Limit inclusive boxes ``[P, 4]`` to the pixels of an image."""
    x, y = boxes[:, 0::2].clamp(0, width - 1), boxes[:, 1::2].clamp(0, height - 1)
    return torch.stack((x, y), dim=2).flatten(1)


def class_aware_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Apply greedy NMS within each label, with the IoU of inclusive boxes.

    Args:
        boxes: ``[P, 4]`` inclusive xyxy.
        scores: ``[P]``.
        labels: ``[P]``.
        iou_threshold: threshold in [0, 1]; a box of equal IoU is kept.

    Returns:
        Indices of the kept boxes, best score first.
    """
    order = best_first(scores, labels)
    return order[unsuppressed(boxes[order][None], labels[order][None], iou_threshold)[0]]


def best_first(scores: Tensor, labels: Tensor) -> Tensor:
    """Sort by score, equal ones by label, then by index; return indices of the last dimension."""
    order = labels.argsort(dim=-1, stable=True)
    ranked = scores.gather(-1, order).argsort(dim=-1, descending=True, stable=True)
    return order.gather(-1, ranked)


def unsuppressed(boxes: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Apply :func:`class_aware_nms` to the sorted boxes of several images.

    Args:
        boxes: ``[B, P, 4]`` inclusive xyxy, best first.
        labels: ``[B, P]``; -1: no box.
        iou_threshold: threshold of the NMS.

    Returns:
        ``[B, P]`` bool, the boxes that are kept.
    """
    if boxes.is_cuda and labels.shape[1]**2 <= PAIRS_AT_ONCE:
        images = max(1, PAIRS_AT_ONCE // max(1, labels.shape[1]**2))
        parts = zip(boxes.split(images), labels.split(images))
        return torch.cat([nms_at_once(*part, iou_threshold) for part in parts]) & (labels >= 0)
    return torch.stack([nms_by_label(*image, iou_threshold) for image in zip(boxes, labels)])


def nms_by_label(boxes: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Apply NMS to the sorted boxes of an image, labels with about as many boxes at once.

    A vocabulary has hundreds of labels with a few boxes each, and a call for each of them would
    take longer than the work.

    Args:
        boxes: ``[P, 4]`` inclusive xyxy, best first.
        labels: ``[P]``; -1: no box.
        iou_threshold: threshold of the NMS.

    Returns:
        ``[P]`` bool, the boxes that are kept.
    """
    stays = torch.zeros_like(labels, dtype=torch.bool)
    order = labels.argsort(stable=True)  # label after label, each best first
    kinds, counts = labels[order].unique_consecutive(return_counts=True)
    firsts = counts.cumsum(0) - counts
    firsts, counts = firsts[kinds >= 0], counts[kinds >= 0]
    most = int(counts.max()) if len(counts) else 0
    size = 1
    while size // 2 < min(most, BOXES_AT_ONCE):
        chosen = (counts > size // 2) & (counts <= size)
        for first, count in zip(firsts[chosen].split(LABELS_AT_ONCE),
                                counts[chosen].split(LABELS_AT_ONCE)):
            place = torch.arange(size, device=order.device)
            real = place < count[:, None]  # [labels, size]
            members = order[(first[:, None] + place).clamp(max=len(order) - 1)]
            alike = pairwise_iou(boxes[members], boxes[members], offset=1) > iou_threshold
            stays[members[greedy(alike & real[:, :, None]) & real]] = True
        size *= 2
    many = counts > BOXES_AT_ONCE
    for first, count in zip(firsts[many].tolist(), counts[many].tolist()):
        members = order[first:first + count]
        falling = torch.arange(count, 0, -1, dtype=boxes.dtype, device=boxes.device)
        stays[members[nms(boxes[members], falling, iou_threshold, offset=1)[1]]] = True
    return stays


def nms_at_once(boxes: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Apply NMS on a GPU, where a loop over labels would synchronise at each of them.

    Moving the labels apart in the plane, as MMCV's ``batched_nms`` does, would round coordinates.
    """
    suppresses = pairwise_iou(boxes, boxes, offset=1) > iou_threshold
    return greedy(suppresses & (labels[..., :, None] == labels[..., None, :]))
