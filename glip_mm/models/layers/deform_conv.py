"""Modulated deformable convolution (DCNv2) behind one function."""

from functools import cache
from types import ModuleType

import torch
from mmcv.ops import modulated_deform_conv2d as mmcv_modulated_deform_conv2d
from mmengine.logging import MMLogger
from torch import Tensor

from glip_mm.ops.deform_conv import deform_conv2d
from glip_mm.ops.fast_paths import is_fast


def modulated_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                            stride: int) -> Tensor:
    """3x3 DCNv2 with padding 1 and one deformable group, always in float32.

    The released models were trained with this operation in float32 under mixed precision.
    With ``p`` an output pixel, ``t`` one of the 9 taps and ``x`` read bilinearly, zero outside,
    ``out[p] = bias + sum_t mask[t, p] * weight[:, :, t] @ x[stride * p + t + offset[t, p]]``.

    MMCV's operation is used on a GPU; on a CPU MMCV's is one naive loop, and
    :mod:`glip_mm.ops.deform_conv` gives the same values faster. It is also what MMCV's wrapper
    calls where MMCV has no compiled operators. ``GLIP_MM_FAST=triton_deform_conv`` uses
    :mod:`.triton_deform_conv` on a GPU instead of MMCV's where Triton is installed.

    Args:
        x: ``[B, C, h, w]``.
        offset: ``[B, 18, h', w']``: (dy, dx) in pixels for the 9 taps in row-major order.
        mask: ``[B, 9, h', w']`` modulation in [0, 1].
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]``.
        stride: 1 or 2; ``h' = ceil(h / stride)``.

    Returns:
        ``[B, O, h', w']`` in float32; channels last in memory unless MMCV computed it.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, offset, mask = x.float(), offset.float(), mask.float()
        weight, bias = weight.float(), bias.float()
        if x.is_cuda and is_fast('deform_conv') and is_fast('triton_deform_conv'):
            kernels = _triton_kernels()
            if kernels and not kernels.unsupported(x, offset, mask, weight, stride):
                return kernels.triton_deform_conv2d(x, offset, mask, weight, bias, stride)
        if x.device.type != 'cpu' or not is_fast('deform_conv'):
            return mmcv_modulated_deform_conv2d(
                x.contiguous(), offset.contiguous(), mask.contiguous(), weight, bias, stride,
                1, 1, 1, 1)
        return deform_conv2d(x, offset, mask, weight, bias, (stride, stride), (1, 1))


@cache
def _triton_kernels() -> ModuleType | None:
    """The module of the kernels; None, with one warning, where Triton is missing."""
    try:
        from . import triton_deform_conv
    except ImportError as error:
        MMLogger.get_current_instance().warning(
            f"GLIP_MM_FAST names triton_deform_conv, but Triton cannot be imported ({error}); "
            "MMCV's operation is used. PyTorch's CUDA builds bring Triton")
        return None
    return triton_deform_conv
