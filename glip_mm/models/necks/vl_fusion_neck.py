"""The tower that lets image and text see each other before any box is predicted."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glip_mm.models.language_models.text_features import TextFeatures
from glip_mm.models.layers import BiAttention, DyConv, FusionTextLayer
from glip_mm.models.layers.dynamic_conv import flatten_levels, split_levels
from glip_mm.ops.fast_paths import is_fast
from glip_mm.registry import MODELS


class FusionBlock(nn.Module):
    """Bi-directional fusion, then a text layer and a dynamic convolution side by side."""

    def __init__(self, attention: BiAttention | None, text: FusionTextLayer | None,
                 conv: DyConv, with_cp: bool) -> None:
        super().__init__()
        self.attention, self.text, self.conv = attention, text, conv
        self.with_cp = with_cp

    def forward(self, feats: list[Tensor],
                text: TextFeatures | None) -> tuple[list[Tensor], TextFeatures | None]:
        if self.attention is not None and self.text is not None:
            assert text is not None
            # tiles are computed again in the backward pass anyway
            visual, hidden = self._run(self.attention, not is_fast('fusion'),
                                       flatten_levels(feats), text.hidden, text.mask)
            feats = split_levels(visual, feats)
            text = text.with_hidden(self._run(self.text, True, hidden, text.mask))
        return self.conv(feats), text

    def _run(self, part: nn.Module, recompute: bool, *args: Tensor) -> Any:
        if recompute and self.with_cp and torch.is_grad_enabled():
            return checkpoint(part, *args, use_reentrant=False)
        return part(*args)


@MODELS.register_module()
class VLFusionNeck(BaseModule):
    """``num_layers`` blocks of [bi-directional attention, text layer, dynamic convolution].

    Source: GLIP, section 3.2 and figure 2. Without fusion (GLIP-T (A)) only the convolutions
    remain.

    Args:
        in_channels: Channels ``C`` of every level; the detector fills in those of its neck.
        num_layers: Number of blocks; 6 for GLIP-T, 8 for GLIP-L.
        fuse: image and text exchange information; False for GLIP-T (A).
        embed_dim: Width of all attention heads of the fusion.
        num_heads: Attention heads of the fusion.
        dropout: Dropout on the fusion's attention weights.
        text_layer: Arguments of :class:`FusionTextLayer`; the detector fills in the shape of
            one layer of its language model.
        num_groups: Groups of the normalisation in the convolutions.
        with_cp: Recompute attention and text layer in the backward pass to save memory; the fast
            path of the fusion always recomputes the attention.
        layer_scale: Initial weight of what each modality tells the other; default, as published,
            1 / ``num_layers``.
    """

    def __init__(self, in_channels: int = 256, num_layers: int = 6, fuse: bool = True,
                 embed_dim: int = 2048, num_heads: int = 8, dropout: float = 0.1,
                 text_layer: dict | None = None, num_groups: int = 16, with_cp: bool = False,
                 layer_scale: float | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if fuse and not text_layer:
            raise ValueError('fusion_neck.text_layer is empty: the detector sets it from its '
                             'language model; give language_dim, num_heads, intermediate_dim')
        if in_channels % num_groups:
            raise ValueError(f'model.neck.out_channels={in_channels} is no multiple of '
                             f'model.fusion_neck.num_groups={num_groups}: change one of them')
        self.fuse = fuse
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            attention = text = None
            if fuse and text_layer:
                attention = BiAttention(in_channels, text_layer['language_dim'], embed_dim,
                                        num_heads, dropout,
                                        init_scale=layer_scale or 1 / num_layers)
                text = FusionTextLayer(**text_layer)
            self.layers.append(FusionBlock(attention, text, DyConv(in_channels, num_groups),
                                           with_cp))

    def forward(self, feats: Sequence[Tensor], text: TextFeatures | None = None
                ) -> tuple[list[Tensor], TextFeatures | None]:
        """Run the tower.

        Args:
            feats: Maps ``[B, C, h, w]``, finest first.
            text: Encoded captions ``[B, L, D]``; not read without fusion.

        Returns:
            Maps of the same shapes and the text whose ``hidden`` has seen the image.
        """
        maps = list(feats)
        for layer in self.layers:
            maps, text = layer(maps, text)
        return maps, text
