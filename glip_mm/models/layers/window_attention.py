"""Swin's window attention without its matrix of weights."""

import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import WindowMSA
from torch import Tensor, nn

from glip_mm.ops.fast_paths import as_built, is_fast, replace_forward


def fused_window_attention(layer: WindowMSA, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Compute MMDetection's window attention by PyTorch's fused kernel.

    ``softmax(q k' / sqrt(d) + relative position bias + mask) v`` of all windows at once; the
    weights of a window stay in the processor's cache. When the bias learns on a CPU, PyTorch has
    no fused kernel and MMDetection's own steps are taken.

    Args:
        layer: Attention ``[B W, N, C]`` -> ``[B W, N, C]`` over the ``N`` pixels of a window.
        x: ``[B W, N, C]``, the windows of all images.
        mask: ``[W, N, N]``, minus infinity or so where a pixel must not see another.

    Returns:
        ``[B W, N, C]``.
    """
    learns = layer.training and torch.is_grad_enabled()
    if (not is_fast('window_attention') or (learns and not x.is_cuda)
            or not as_built(layer.softmax, nn.Softmax)
            or not as_built(layer.attn_drop, nn.Dropout)):
        return WindowMSA.forward(layer, x, mask)
    windows, N, C = x.shape
    qkv = layer.qkv(x).view(windows, N, 3, layer.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)  # [windows, heads, N, d]
    bias = layer.relative_position_bias_table[layer.relative_position_index.flatten()]
    bias = bias.to(query.dtype).view(N, N, -1).permute(2, 0, 1)[None]  # [1, heads, N, N]
    if mask is not None:  # of the windows of one image
        bias = bias + mask.to(query.dtype)[:, None]
        if windows > len(mask):
            bias = bias.repeat(windows // len(mask), 1, 1, 1)
    out = F.scaled_dot_product_attention(
        query, key, value, bias, scale=layer.scale,
        dropout_p=layer.attn_drop.p if layer.attn_drop.training else 0.)
    return layer.proj_drop(layer.proj(out.transpose(1, 2).reshape(windows, N, C)))


def speed_up_window_attention(module: nn.Module) -> nn.Module:
    """Let Swin backbones attend by :func:`fused_window_attention`; names and types stay.

    See :func:`glip_mm.ops.fast_paths.replace_forward`.
    """
    return replace_forward(module, WindowMSA, fused_window_attention)
