"""Region-word alignment loss (GLIP, section 3.1) and its normalisation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip_mm.registry import MODELS


@MODELS.register_module()
class RegionWordLoss(nn.Module):
    """Sigmoid focal loss over every (anchor, real token) pair, summed.

    Every real token counts, [CLS], [SEP] and separators included; padding does not.

    Args:
        alpha: Weight of positive pairs.
        gamma: Focusing exponent.
        loss_weight: Factor of the result.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.alpha, self.gamma, self.loss_weight = alpha, gamma, loss_weight

    def forward(self, logits: Tensor, mask: Tensor, positives: Tensor, targets: Tensor) -> Tensor:
        """Sum the loss.

        All pairs are first taken as background; the few pairs of positive anchors are then
        corrected, so that no ``[B, A, L]`` target is built.

        Args:
            logits: ``[B, A, L]``.
            mask: ``[B, L]`` bool, true at real tokens.
            positives: ``[P, 2]`` (image, anchor) indices of positive anchors, all distinct.
            targets: ``[P, L]`` bool, tokens that each positive anchor is to match.

        Returns:
            Scalar, float32.
        """
        logits = logits.float()
        total = (self._negative(logits) * mask[:, None, :]).sum()
        if len(positives):
            pairs = logits[positives[:, 0], positives[:, 1]]  # [P, L]
            wanted = targets & mask[positives[:, 0]]
            total = total + ((self._positive(pairs) - self._negative(pairs)) * wanted).sum()
        return self.loss_weight * total

    def _negative(self, x: Tensor) -> Tensor:
        return (1 - self.alpha) * x.sigmoid()**self.gamma * F.softplus(x)

    def _positive(self, x: Tensor) -> Tensor:
        return self.alpha * (-x).sigmoid()**self.gamma * F.softplus(-x)


def dense_targets(positives: Tensor, targets: Tensor, num_anchors: int, batch: int) -> Tensor:
    """Scatter targets to all anchors, for losses that need them.

    Args:
        positives: ``[P, 2]`` (image, anchor).
        targets: ``[P, L]``.
        num_anchors: ``A``.
        batch: ``B``.

    Returns:
        ``[B, A, L]`` bool.
    """
    dense = torch.zeros(batch, num_anchors, targets.shape[1], dtype=torch.bool,
                        device=targets.device)
    dense[positives[:, 0], positives[:, 1]] = targets.bool()
    return dense
