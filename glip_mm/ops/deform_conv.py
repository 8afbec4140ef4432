"""Modulated deformable convolution (DCNv2) in plain PyTorch, on any device.

Letters: ``G`` groups of the convolution, ``D`` groups of offsets, ``T`` taps of the kernel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .bilinear_gather import bilinear_corners, gather_matmul


def deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                  stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int] = (1, 1),
                  groups: int = 1, deform_groups: int = 1) -> Tensor:
    """Convolve what each tap reads bilinearly at its offset, times its mask.

    With ``p`` an output pixel and ``x`` zero outside,
    ``out[p] = bias + sum_t mask[t, p] * weight[:, :, t] @ x[stride * p + t + offset[t, p]]``.
    Pairs are (vertical, horizontal).

    Args:
        x: ``[B, C, h, w]``.
        offset: ``[B, 2 D T, h', w']``: (dy, dx) in pixels, taps in row-major order.
        mask: ``[B, D T, h', w']``.
        weight: ``[O, C / G, kernel height, kernel width]``.
        bias: ``[O]``.
        stride: stride of the output's pixels.
        padding: padding of the input, on either side.
        dilation: Pixels between neighbouring taps.
        groups: ``G``.
        deform_groups: ``D``; each reads its ``C / D`` channels at offsets of its own.

    Returns:
        ``[B, O, h', w']``, channels last in memory. All tensor arguments get gradients.

    Raises:
        ValueError: If the numbers of channels do not fit each other.
    """
    batch, channels = x.shape[:2]
    out_channels, kernel = len(weight), weight.shape[2:]
    out_size, samples = mask.shape[-2:], deform_groups * kernel.numel()
    if (channels != groups * weight.shape[1] or out_channels % groups or channels % deform_groups
            or offset.shape[1] != 2 * samples or mask.shape[1] != samples):
        raise ValueError(
            f'deformable convolution: input {list(x.shape)}, offset {list(offset.shape)}, mask '
            f'{list(mask.shape)} and weight {list(weight.shape)} do not fit {groups} groups and '
            f'{deform_groups} groups of offsets')
    images = x.permute(0, 2, 3, 1)  # no copy below if channels are last
    corners = [bilinear_corners(*parts, x.shape[-2:], stride, kernel, padding, dilation)
               for parts in zip(offset.chunk(deform_groups, 1), mask.chunk(deform_groups, 1))]
    outs = []
    for group, (taps, shift) in enumerate(zip(weight.chunk(groups), bias.chunk(groups))):
        first, products = group * channels // groups, []
        for part, corner in enumerate(corners):
            low = max(first, part * channels // deform_groups)
            high = min(first + channels // groups, (part + 1) * channels // deform_groups)
            if low < high:  # channels that this group convolves and these offsets belong to
                rows = images[..., low:high].reshape(-1, high - low)
                products.append(gather_matmul(
                    rows, *corner, taps[:, low - first:high - first].flatten(2),
                    shift if low == first else torch.zeros_like(shift)))
        outs.append(sum(products[1:], products[0]))  # [P, O / G]
    out = outs[0] if groups == 1 else torch.cat(outs, dim=1)
    return out.view(batch, *out_size, out_channels).permute(0, 3, 1, 2)


def view_at_size(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Read the memory of per-level maps as if they had another level's size.

    What: GLIP feeds the convolution over the *coarser* level with offsets computed at the finer
    one; its kernel indexes that buffer with the output's strides and reads a leading part of it,
    scrambled. Why keep it: every released checkpoint was trained so. What breaks without it:
    cropping or resizing the offsets changes the network's output entirely.

    Args:
        maps: ``[B, c, h, w]``.
        size: ``(h', w')`` with ``h' w' <= h w``.

    Returns:
        ``[B, c, h', w']``.
    """
    height, width = size
    batch, channels = maps.shape[:2]
    return maps.flatten(1)[:, :channels * height * width].reshape(batch, channels, height, width)
