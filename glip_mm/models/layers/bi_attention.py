"""Bi-directional cross-attention between visual and text tokens (GLIP, section 3.2)."""


import torch
from torch import Tensor, nn

from glip_mm.ops.fast_paths import as_built, is_fast
from glip_mm.ops.matrix_products import Float32Linear
from glip_mm.ops.number_format import without_autocast

from .shared_image import once
from .text_layer import clamp
from .tiled_attention import tiled_two_way_attention


class BiAttention(nn.Module):
    """Visual tokens read the text and text tokens read the image through one score matrix.

    Every projection is applied on the text side: ``(x Wq) k = x (Wq k)``, ``P (v Wo)`` and
    ``(P' x) Wv``, so that nothing of size ``N x embed_dim`` is formed. ``N`` is two orders of
    magnitude larger than ``L``.

    Args:
        visual_dim: ``C``.
        language_dim: ``D``.
        embed_dim: Width of all heads together.
        num_heads: ``H``; divides ``embed_dim``.
        dropout: Probability on the attention weights of both directions.
        init_scale: Initial value of both layer scales (1 / number of blocks).

    Raises:
        ValueError: If ``embed_dim`` is no multiple of ``num_heads``.
    """

    def __init__(self, visual_dim: int, language_dim: int, embed_dim: int = 2048,
                 num_heads: int = 8, dropout: float = 0.1, init_scale: float = 1 / 6) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f'embed_dim {embed_dim} is no multiple of num_heads {num_heads}: '
                             'change fusion_neck.embed_dim or fusion_neck.num_heads')
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.layer_norm_v = nn.LayerNorm(visual_dim)
        self.layer_norm_l = nn.LayerNorm(language_dim)
        self.v_proj = Float32Linear(visual_dim, embed_dim)
        self.l_proj = Float32Linear(language_dim, embed_dim)
        self.values_v_proj = Float32Linear(visual_dim, embed_dim)
        self.values_l_proj = Float32Linear(language_dim, embed_dim)
        self.out_v_proj = Float32Linear(embed_dim, visual_dim)
        self.out_l_proj = Float32Linear(embed_dim, language_dim)
        self.gamma_v = nn.Parameter(torch.full((visual_dim,), init_scale))
        self.gamma_l = nn.Parameter(torch.full((language_dim,), init_scale))
        self.dropout = nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, visual: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Exchange information both ways.

        The residual goes around the *normalised* input: ``LN(x) + gamma * update``. Released
        checkpoints depend on it. The text attends to padded pixels as well (no image mask).

        Args:
            visual: ``[B, N, C]``.
            text: ``[B, L, D]``.
            mask: ``[B, L]`` bool, true at real tokens. Rows of padded tokens are computed and
                read by nobody.

        Returns:
            Visual tokens ``[B, N, C]`` and text tokens ``[B, L, D]``.
        """
        visual, text = once(self.layer_norm_v, visual), self.layer_norm_l(text)
        keys, key_bias, values = self._text_side(text)
        if is_fast('fusion') and as_built(self.dropout, nn.Dropout):
            visual, pooled, mass = tiled_two_way_attention(
                visual, keys, key_bias, values * self.gamma_v,
                self.out_v_proj.bias * self.gamma_v, mask, self.num_heads,
                self.dropout.p if self.dropout.training else 0.)
        else:
            update, pooled, mass = self._at_once(visual, keys, key_bias, values, mask)
            visual = visual + (self.gamma_v * (update + self.out_v_proj.bias)).to(visual)
        return visual, text + self.gamma_l * self._project_pooled(pooled, mass).to(self.gamma_l)

    def _at_once(self, visual: Tensor, keys: Tensor, key_bias: Tensor, values: Tensor,
                 mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the plain formula of :mod:`.tiled_attention`, with all scores in memory."""
        scores = clamp(keys.to(visual.dtype) @ visual.transpose(1, 2) + key_bias[..., None])
        batch, _, num_tokens = scores.shape
        scores = scores.view(batch, self.num_heads, -1, num_tokens)  # [B, H, L, N]

        to_visual = scores.masked_fill(~mask[:, None, :, None], -torch.inf).softmax(dim=2)
        to_visual = self.dropout(to_visual).flatten(1, 2)  # [B, HL, N]
        update = to_visual.transpose(1, 2) @ values.to(to_visual.dtype)  # [B, N, C]

        to_text = self.dropout(scores.softmax(dim=3)).flatten(1, 2)  # [B, HL, N]
        return update, to_text @ visual.to(to_text.dtype), to_text.float().sum(dim=2)

    def _text_side(self, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute keys ``[B, HL, C]``, bias ``[B, HL]`` and values ``[B, HL, C]``; float32."""
        split = (self.num_heads, self.head_dim)
        key, bias, value = (weights.float() for weights in (
            self.v_proj.weight, self.v_proj.bias, self.out_v_proj.weight))
        with without_autocast(text.device.type):
            scaled = self.l_proj(text).unflatten(-1, split) * self.head_dim**-0.5  # [B, L, H, d]
            keys = torch.einsum('blhd,hdc->bhlc', scaled, key.unflatten(0, split))
            bias = torch.einsum('blhd,hd->bhl', scaled, bias.unflatten(0, split))
            values = torch.einsum('blhd,chd->bhlc',
                                  self.values_l_proj(text).unflatten(-1, split),
                                  value.unflatten(1, split))
        return keys.flatten(1, 2), bias.flatten(1, 2), values.flatten(1, 2)

    def _project_pooled(self, pooled: Tensor, mass: Tensor) -> Tensor:
        """Project what was read, ``[B, HL, C]``, with its weights to an update ``[B, L, D]``."""
        heads, split = (self.num_heads, -1), (self.num_heads, self.head_dim)
        weight, bias = self.values_v_proj.weight.float(), self.values_v_proj.bias.float()
        with without_autocast(pooled.device.type):
            read = torch.einsum('bhlc,hdc->blhd', pooled.float().unflatten(1, heads),
                                weight.unflatten(0, split))
            # a row of weights sums to 1 but for dropout
            mass = mass.unflatten(1, heads).transpose(1, 2)[..., None]  # [B, L, H, 1]
            return self.out_l_proj((read + mass * bias.unflatten(0, split)).flatten(2))
