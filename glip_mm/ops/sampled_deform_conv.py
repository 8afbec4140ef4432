"""Modulated deformable convolution (DCNv2) in operators that every runtime has."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sampled_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                          stride: int) -> Tensor:
    """Convolve 3x3 (DCNv2) with padding 1, by ``grid_sample`` and a matrix product.

    ``out[p] = bias + sum_t weight[t] mask[t, p] x(stride p + t + offset[t, p])`` over the 9 taps
    ``t``; ``x`` is read bilinearly and is 0 outside. The same as MMCV's operation, which no
    runtime but PyTorch knows.

    Args:
        x: ``[B, C, h, w]``.
        offset: ``[B, 18, h', w']``: (dy, dx) in pixels for the 9 taps in row-major order.
        mask: ``[B, 9, h', w']`` modulation.
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]``.
        stride: 1 or 2; ``h' = ceil(h / stride)``.

    Returns:
        ``[B, O, h', w']``.
    """
    batch, channels, height, width = x.shape
    out_h, out_w = offset.shape[-2:]
    taps = torch.arange(-1, 2, dtype=x.dtype, device=x.device)
    rows = torch.arange(out_h, dtype=x.dtype, device=x.device) * stride
    cols = torch.arange(out_w, dtype=x.dtype, device=x.device) * stride
    offset = offset.reshape(batch, 3, 3, 2, out_h, out_w)
    y = offset[:, :, :, 0] + taps[:, None, None, None] + rows[:, None]
    across = offset[:, :, :, 1] + taps[:, None, None] + cols
    # the centre of pixel i is i; grid_sample's own unit for that is (2 i + 1) / size - 1
    grid = torch.stack(((2 * across + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    columns = F.grid_sample(x, grid.reshape(batch, 9 * out_h, out_w, 2), mode='bilinear',
                            padding_mode='zeros', align_corners=False)  # [B, C, 9 h', w']
    columns = (columns.reshape(batch, channels, 9, out_h * out_w)
               * mask.reshape(batch, 1, 9, out_h * out_w))
    out = weight.flatten(1) @ columns.reshape(batch, channels * 9, out_h * out_w)
    return (out + bias[:, None]).reshape(batch, weight.shape[0], out_h, out_w)
