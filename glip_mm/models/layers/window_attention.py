"""Swin's window attention without its matrix of weights."""


import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import WindowMSA
from torch import Tensor, nn

from glip_mm.ops.fast_paths import is_fast


class _WindowMSA(WindowMSA):
    """MMDetection's window attention by PyTorch's fused kernel.

    ``softmax(q k' / sqrt(d) + relative position bias + mask) v`` of all windows at once; the
    weights of a window stay in the processor's cache. When the bias learns on a CPU, PyTorch has
    no fused kernel and MMDetection's own steps are taken.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        learns = self.training and torch.is_grad_enabled()
        if not is_fast('window_attention') or (learns and not x.is_cuda):
            return super().forward(x, mask)
        windows, N, C = x.shape
        qkv = self.qkv(x).view(windows, N, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # [windows, heads, N, d]
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        bias = bias.view(N, N, -1).permute(2, 0, 1)[None]  # [1, heads, N, N]
        if mask is not None:  # of the windows of one image
            bias = (bias + mask[:, None]).repeat(windows // len(mask), 1, 1, 1)
        out = F.scaled_dot_product_attention(
            query, key, value, bias.to(query.dtype), scale=self.scale,
            dropout_p=self.attn_drop.p if self.training else 0.)
        return self.proj_drop(self.proj(out.transpose(1, 2).reshape(windows, N, C)))


def speed_up_window_attention(module: nn.Module) -> nn.Module:
    """Let every window attention of a Swin backbone use the fused kernel; names stay as they are.

    Args:
        module: Any module; changed in place.

    Returns:
        The module.
    """
    for child in module.modules():
        if type(child) is WindowMSA:
            child.__class__ = _WindowMSA
    return module
