"""Box regression and centerness losses of ATSS as GLIP weighs them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip_mm.registry import MODELS


@MODELS.register_module()
class GIoULoss(nn.Module):
    """GIoU loss of the published training, with the interface of MMDetection's box losses.

    See :func:`giou_loss` for what differs from ``mmdet.GIoULoss``.

    Args:
        loss_weight: factor of the result.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor,
                avg_factor: Tensor | float = 1.0) -> Tensor:
        """Return the weighted sum over ``avg_factor``.

        Args:
            pred: ``[P, 4]`` xyxy.
            target: ``[P, 4]`` xyxy.
            weight: ``[P]``.
            avg_factor: divisor of the sum.

        Returns:
            Scalar.
        """
        return self.loss_weight * giou_loss(pred, target, weight) / avg_factor


@MODELS.register_module()
class CenternessLoss(nn.Module):
    """Binary cross-entropy of centerness, with the interface of MMDetection's losses.

    Args:
        loss_weight: factor of the result.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor,
                avg_factor: Tensor | float = 1.0) -> Tensor:
        """Return the sum over ``avg_factor`` of ``[P]`` logits and targets."""
        return self.loss_weight * centerness_loss(pred, target) / avg_factor


def giou_loss(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Sum 1 - GIoU with weights.

    Areas are without the +1 of the box coder, and both union and enclosing area get 1e-7: the
    published training differs between coder and loss, and so do we.

    Args:
        pred: ``[P, 4]`` xyxy.
        target: ``[P, 4]`` xyxy.
        weight: ``[P]``.

    Returns:
        Scalar.
    """
    pred = torch.cat((pred[:, :2], torch.maximum(pred[:, :2], pred[:, 2:])), dim=1)
    inner = (torch.minimum(pred[:, 2:], target[:, 2:])
             - torch.maximum(pred[:, :2], target[:, :2])).clamp(min=0).prod(dim=1)
    outer = (torch.maximum(pred[:, 2:], target[:, 2:])
             - torch.minimum(pred[:, :2], target[:, :2])).clamp(min=0).prod(dim=1) + 1e-7
    union = ((pred[:, 2:] - pred[:, :2]).prod(dim=1)
             + (target[:, 2:] - target[:, :2]).prod(dim=1) - inner + 1e-7)
    giou = inner / union - (outer - union) / outer
    return ((1 - giou) * weight).sum()


def centerness_target(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Compute how central an anchor's centre lies in its box (FCOS, equation 3).

    Args:
        anchors: ``[P, 4]`` xyxy whose centres lie inside the boxes.
        boxes: ``[P, 4]`` xyxy.

    Returns:
        ``[P]`` in (0, 1].
    """
    centre = (anchors[:, :2] + anchors[:, 2:]) / 2
    before, after = centre - boxes[:, :2], boxes[:, 2:] - centre
    ratio = torch.minimum(before, after) / torch.maximum(before, after)
    return ratio.prod(dim=1).clamp(min=0).sqrt()


def centerness_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Sum the binary cross-entropy of ``[P]`` logits and targets."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction='sum')
