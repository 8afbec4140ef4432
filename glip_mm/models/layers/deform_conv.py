"""Modulated deformable convolution (DCNv2) behind one function."""

import torch
import torch.nn.functional as F
from mmcv.ops import modulated_deform_conv2d as mmcv_modulated_deform_conv2d
from torch import Tensor


def modulated_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                            stride: int) -> Tensor:
    """3x3 DCNv2 with padding 1 and one deformable group, always in float32.

    The released models were trained with this operation in float32 under mixed precision.
    On a GPU MMCV's operation is used; on a CPU MMCV's is one naive loop, and sampling with
    ``grid_sample`` followed by a matrix product gives the same values faster.

    Args:
        x: ``[B, C, h, w]``.
        offset: ``[B, 18, h', w']``: (dy, dx) in pixels for the 9 taps in row-major order.
        mask: ``[B, 9, h', w']`` modulation in [0, 1].
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]``.
        stride: 1 or 2; ``h' = ceil(h / stride)``.

    Returns:
        ``[B, O, h', w']`` in float32.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, offset, mask = x.float(), offset.float(), mask.float()
        weight, bias = weight.float(), bias.float()
        if x.is_cuda:
            return mmcv_modulated_deform_conv2d(
                x, offset.contiguous(), mask.contiguous(), weight, bias, stride, 1, 1, 1, 1)
        return _sampled_deform_conv2d(x, offset, mask, weight, bias, stride)


def _sampled_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                           stride: int) -> Tensor:
    batch, channels, height, width = x.shape
    out_h, out_w = offset.shape[-2:]
    dtype, device = x.dtype, x.device
    taps = torch.arange(-1, 2, dtype=dtype, device=device)
    rows = torch.arange(out_h, dtype=dtype, device=device) * stride
    cols = torch.arange(out_w, dtype=dtype, device=device) * stride
    offset = offset.reshape(batch, 3, 3, 2, out_h, out_w)
    # the centre of pixel i is i; grid_sample's own unit for that is (2 i + 1) / size - 1
    y = offset[:, :, :, 0] + taps[:, None, None, None] + rows[:, None]
    px = offset[:, :, :, 1] + taps[:, None, None] + cols
    grid = torch.stack(((2 * px + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    columns = F.grid_sample(
        x, grid.reshape(batch, 9 * out_h, out_w, 2), mode='bilinear', padding_mode='zeros',
        align_corners=False)  # [B, C, 9 h', w']
    columns = columns.view(batch, channels, 9, out_h * out_w) * mask.reshape(batch, 1, 9, -1)
    out = weight.flatten(1) @ columns.reshape(batch, channels * 9, out_h * out_w)
    return (out + bias[:, None]).view(batch, -1, out_h, out_w)
