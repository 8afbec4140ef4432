"""Masked-language head and loss."""

import torch.nn.functional as F
from torch import Tensor, nn

from glip_mm.registry import MODELS

from .normalisers import mean_over_ranks


@MODELS.register_module()
class MaskedLanguageHead(nn.Module):
    """Predicts masked words from the text that has seen the image.

    Args:
        language_dim: ``D``.
        vocab_size: Words ``V`` to choose from.
        mask_probability: Share of tokens masked in training.
        only_positives: Learn only the words that belong to entities (and captions), as
            published; otherwise any word.
        corrupt_unlearned: Mask other words, too, without learning them, as published.
        loss_weight: Factor of the loss.
        eps: Epsilon of the layer norm.
    """

    def __init__(self, language_dim: int, vocab_size: int, mask_probability: float = 0.15,
                 only_positives: bool = True, loss_weight: float = 1.0,
                 eps: float = 1e-12, corrupt_unlearned: bool = False) -> None:
        super().__init__()
        self.mask_probability, self.only_positives = mask_probability, only_positives
        self.loss_weight, self.corrupt_unlearned = loss_weight, corrupt_unlearned
        self.dense = nn.Linear(language_dim, language_dim)
        self.norm = nn.LayerNorm(language_dim, eps=eps)
        self.decoder = nn.Linear(language_dim, vocab_size)

    def forward(self, text: Tensor) -> Tensor:
        """Score words.

        Args:
            text: ``[..., D]``.

        Returns:
            ``[..., V]`` logits.
        """
        return self.decoder(self.norm(F.gelu(self.dense(text.to(self.norm.weight.dtype)))))

    def loss(self, text: Tensor, labels: Tensor) -> Tensor:
        """Average the cross-entropy over the tokens to learn, of all processes; 0 without any.

        Args:
            text: ``[B, L, D]``.
            labels: ``[B, L]`` word ids, -100 where nothing is to be learned.

        Returns:
            Scalar.
        """
        chosen = labels != -100
        logits = self(text[chosen]).float()  # [M, V]
        total = F.cross_entropy(logits, labels[chosen], reduction='sum')
        # no count at all: the sum is 0 and stays so
        return self.loss_weight * total / mean_over_ranks(chosen.sum().float()).clamp(min=1e-6)
