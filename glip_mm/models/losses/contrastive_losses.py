"""Contrastive losses between regions and words; no released model uses them."""


import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_rank
from torch import Tensor, nn

from glip_mm.ops.matrix_products import Float32Linear
from glip_mm.registry import MODELS


def contrastive_align(logits: Tensor, positives: Tensor) -> Tensor:
    """Align anchors and tokens in both directions (MDETR, section 3.1.2).

    Args:
        logits: ``[B, A, L]`` similarities over temperature.
        positives: ``[B, A, L]`` bool.

    Returns:
        Scalar sum over anchors and tokens, averaged over the two directions.
    """
    matched = logits.masked_fill(~positives, 0)

    def direction(dim: int) -> Tensor:
        count = positives.sum(dim)
        row = logits.logsumexp(dim) - matched.sum(dim) / (count + 1e-6)
        return row.masked_fill(count == 0, 0).sum()

    return (direction(2) + direction(1)) / 2


@MODELS.register_module()
class ContrastiveAlignLoss(nn.Module):
    """Region-word alignment in a shared space, as in MDETR.

    Args:
        visual_dim: ``C``.
        language_dim: ``D``.
        hidden_dim: Width of the shared space.
        loss_weight: Factor of the loss.
    """

    def __init__(self, visual_dim: int, language_dim: int, hidden_dim: int = 64,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.visual_projection = Float32Linear(visual_dim, hidden_dim)
        self.text_projection = Float32Linear(language_dim, hidden_dim)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, visual: Tensor, text: Tensor, mask: Tensor, positives: Tensor) -> Tensor:
        """Compute the loss sum.

        Args:
            visual: ``[B, A, C]``.
            text: ``[B, L, D]``.
            mask: ``[B, L]`` bool.
            positives: ``[B, A, L]`` bool.

        Returns:
            Scalar, to be divided by the number of positive anchors.
        """
        visual = F.normalize(self.visual_projection(visual), dim=-1)
        text = F.normalize(self.text_projection(text), dim=-1)
        logits = visual @ text.transpose(1, 2) / self.log_scale.float().exp()
        logits = logits.masked_fill(~mask[:, None], -1e4)
        return self.loss_weight * contrastive_align(logits, positives & mask[:, None])


@MODELS.register_module()
class InterImageContrastiveLoss(nn.Module):
    """Contrast region features before fusion with the words of all captions of a batch.

    A region's negatives are then the words of other images too (GLIP's "shallow" contrastive
    loss). A word of another caption counts as positive if it carries the same name.

    Args:
        visual_dim: ``C``.
        language_dim: ``D``.
        hidden_dim: Width of the shared space.
        max_regions: Most positive anchors of an image that take part.
        loss_weight: Factor of the loss.
    """

    def __init__(self, visual_dim: int, language_dim: int, hidden_dim: int = 64,
                 max_regions: int = 100, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.max_regions, self.loss_weight = max_regions, loss_weight
        self.visual_projection = Float32Linear(visual_dim, hidden_dim)
        self.text_projection = Float32Linear(language_dim, hidden_dim)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, regions: Tensor, text: Tensor, mask: Tensor, positives: Tensor) -> Tensor:
        """Compute the loss sum over this process's regions and words.

        Args:
            regions: ``[R, C]`` features of positive anchors of all images.
            text: ``[B, L, D]``.
            mask: ``[B, L]`` bool.
            positives: ``[R, B, L]`` bool, words each region matches, in any caption.

        Returns:
            Scalar, to be divided by the number of positive anchors.
        """
        visual = F.normalize(self.visual_projection(regions), dim=-1)
        words = F.normalize(self.text_projection(text), dim=-1)[mask]  # [W, d]
        positives = positives[:, mask]  # [R, W]
        visual, words, positives = self._gather(visual, words, positives)
        logits = visual @ words.t() / self.log_scale.float().exp()
        return self.loss_weight * contrastive_align(logits[None], positives[None])

    @staticmethod
    def _gather(visual: Tensor, words: Tensor,
                positives: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Add the words of other processes as negatives; gradients stay in this process."""
        counts = [int(c) for c in all_gather(torch.tensor(len(words), device=words.device))]
        if len(counts) == 1:
            return visual, words, positives
        padded = words.new_zeros(max(counts), words.shape[1])
        padded[:len(words)] = words.detach()
        gathered = all_gather(padded)
        others = [w[:n] for i, (w, n) in enumerate(zip(gathered, counts)) if i != get_rank()]
        foreign = torch.cat(others)
        empty = positives.new_zeros(len(positives), len(foreign))
        return visual, torch.cat((words, foreign)), torch.cat((positives, empty), dim=1)
