"""Greedy non-maximum suppression in plain PyTorch, on any device.

Letters: ``P`` boxes, ``Q`` other boxes.
"""

import torch
from torch import Tensor

#: Boxes decided about at once: their overlaps fit the cache of a CPU.
BLOCK = 512
#: Rounds of :func:`greedy` before the host reads whether the last one changed anything.
ROUNDS_AT_ONCE = 4


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Keep each box that no kept box of a higher score overlaps by more than a threshold.

    Takes the arguments of ``mmcv._ext.nms`` and gives its result. Equal scores keep their order.

    Args:
        boxes: ``[P, 4]`` xyxy.
        scores: ``[P]``.
        iou_threshold: largest IoU of kept boxes.
        offset: 1 if the right and lower edges are the last pixels inside, 0 if they end the box.

    Returns:
        Indices of the kept boxes, int64, best score first.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = boxes[order]
    stays = torch.zeros_like(order, dtype=torch.bool)
    for start in range(0, len(boxes), BLOCK):
        block = boxes[start:start + BLOCK]
        free = torch.ones_like(stays[start:start + BLOCK])
        for kept in boxes[:start][stays[:start]].split(BLOCK):
            free &= ~(pairwise_iou(kept, block, offset) > iou_threshold).any(dim=0)
        suppresses = (pairwise_iou(block, block, offset) > iou_threshold) & free[:, None]
        stays[start:start + BLOCK] = greedy(suppresses) & free
    return order[stays]


def greedy(suppresses: Tensor) -> Tensor:
    """Mark the boxes that stay, if each that stays removes the later ones it suppresses.

    Assuming that all stay and applying this again and again settles the best box in the first
    round, those it decides about in the second, and so on: the greedy result, after as many rounds
    as the longest chain has boxes, without a loop over boxes.

    Args:
        suppresses: ``[..., P, P]`` bool, row over column, best box first; only the part above the
            diagonal is read.

    Returns:
        ``[..., P]`` bool.
    """
    suppresses = suppresses.triu(diagonal=1).float()
    stays = suppresses.new_ones(suppresses.shape[:-1])
    while True:
        for _ in range(ROUNDS_AT_ONCE):
            before = stays
            stays = ((before[..., None, :] @ suppresses).squeeze(-2) == 0).float()
        if torch.equal(before, stays):
            return stays.bool()


def pairwise_iou(boxes: Tensor, others: Tensor, offset: int) -> Tensor:
    """Compute the IoU of xyxy ``[..., P, 4]`` and ``[..., Q, 4]`` by the operations of MMCV's NMS.

    Args:
        boxes: First boxes.
        others: Second boxes.
        offset: See :func:`nms`.

    Returns:
        ``[..., P, Q]``; NaN for two boxes of no area.
    """
    def area(of: Tensor) -> Tensor:
        return (of[..., 2] - of[..., 0] + offset) * (of[..., 3] - of[..., 1] + offset)

    def overlap(axis: int) -> Tensor:
        low = torch.maximum(boxes[..., :, None, axis], others[..., None, :, axis])
        high = torch.minimum(boxes[..., :, None, axis + 2], others[..., None, :, axis + 2])
        return (high - low + offset).clamp(min=0)

    inter = overlap(0) * overlap(1)
    return inter / (area(boxes)[..., :, None] + area(others)[..., None, :] - inter)
