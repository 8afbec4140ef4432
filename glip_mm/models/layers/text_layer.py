"""The language layer inside the fusion tower: a post-norm BERT layer with clamps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Released models clamp attention scores and feed-forward values to this magnitude (GLIP's
#: guard against overflow in half precision); finite values beyond it never occur in float32.
CLAMP = 50000.0


def clamp(x: Tensor) -> Tensor:
    """Limit values to ``[-CLAMP, CLAMP]``."""
    return x.clamp(min=-CLAMP, max=CLAMP)


class FusionTextLayer(nn.Module):
    """Self-attention and feed-forward over text tokens, after the fusion of each tower block.

    It has the shape of one layer of the language model but is trained from scratch.

    Args:
        language_dim: Width ``D``.
        num_heads: Attention heads; divides ``D``.
        intermediate_dim: Width of the feed-forward layer.
        dropout: Probability for attention weights and both outputs.
        eps: Epsilon of the layer norms.
    """

    def __init__(self, language_dim: int, num_heads: int, intermediate_dim: int,
                 dropout: float = 0.1, eps: float = 1e-12) -> None:
        super().__init__()
        if language_dim % num_heads:
            raise ValueError(f'language_dim {language_dim} is no multiple of num_heads '
                             f'{num_heads}: change fusion_neck.text_layer in the config')
        self.num_heads = num_heads
        self.query = nn.Linear(language_dim, language_dim)
        self.key = nn.Linear(language_dim, language_dim)
        self.value = nn.Linear(language_dim, language_dim)
        self.attention_output = nn.Linear(language_dim, language_dim)
        self.attention_norm = nn.LayerNorm(language_dim, eps=eps)
        self.intermediate = nn.Linear(language_dim, intermediate_dim)
        self.output = nn.Linear(intermediate_dim, language_dim)
        self.output_norm = nn.LayerNorm(language_dim, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Update the text.

        Args:
            x: Text tokens ``[B, L, D]``.
            mask: ``[B, L]`` bool, true at real tokens.

        Returns:
            ``[B, L, D]``.
        """
        x = self.attention_norm(x + self.dropout(self.attention_output(self._attend(x, mask))))
        hidden = clamp(F.gelu(clamp(self.intermediate(x))))
        out = clamp(self.dropout(self.output(hidden)))
        return clamp(self.output_norm(out + x))

    def _attend(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, dim = x.shape

        def heads(t: Tensor) -> Tensor:
            return t.view(batch, length, self.num_heads, -1).transpose(1, 2)  # [B, H, L, d]

        query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = clamp((query @ key.transpose(-1, -2)) * (dim // self.num_heads)**-0.5)
        scores = scores.float().masked_fill(~mask[:, None, None, :], -torch.inf)
        weights = self.dropout(scores.softmax(dim=-1)).to(value.dtype)
        return (weights @ value).transpose(1, 2).reshape(batch, length, dim)
