"""Prompt tuning: a learned vector for each token position (GLIP, section 5.2)."""

import torch
from torch import Tensor, nn

from ...registry import MODELS
from .text_features import TextFeatures


@MODELS.register_module()
class PromptTable(nn.Module):
    """Adds row ``i`` of a zero-initialised table to token ``i`` of the encoded text.

    The table is indexed by position, so captions must come in a fixed order (no shuffling).

    Args:
        language_dim: ``D``.
        num_positions: Rows of the table; 1000 in released checkpoints.
    """

    def __init__(self, language_dim: int, num_positions: int = 1000) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_positions, language_dim))

    def forward(self, text: TextFeatures) -> TextFeatures:
        """Shift both text representations, padding included as published.

        Args:
            text: Encoded captions ``[B, L, D]``.

        Returns:
            Shifted copies.
        """
        shift: Tensor = self.weight[:text.hidden.shape[1]]
        return text._replace(hidden=text.hidden + shift, embedded=text.embedded + shift)
