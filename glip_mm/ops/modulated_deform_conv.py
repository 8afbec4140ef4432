"""Modulated deformable convolution (DCNv2): one interface, its implementations side by side."""

from collections.abc import Callable

import torch
from mmcv.ops import modulated_deform_conv2d as mmcv_modulated_deform_conv2d
from torch import Tensor

from .deform_conv import deform_conv2d
from .fast_paths import is_fast
from .number_format import without_autocast
from .sampled_deform_conv import sampled_deform_conv2d


def modulated_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                            stride: int, implementation: str | None = None) -> Tensor:
    """Convolve 3x3 with padding 1 and one deformable group, in float32 wherever it learns.

    The released models were trained with this operation in float32 under mixed precision. A CPU
    that predicts under autocast to bfloat16 samples and multiplies in bfloat16 instead.
    With ``p`` an output pixel, ``t`` one of the 9 taps and ``x`` read bilinearly, zero outside,
    ``out[p] = bias + sum_t mask[t, p] * weight[:, :, t] @ x[stride * p + t + offset[t, p]]``.

    Args:
        x: ``[B, C, h, w]``.
        offset: ``[B, 18, h', w']``: (dy, dx) in pixels for the 9 taps in row-major order.
        mask: ``[B, 9, h', w']`` modulation in [0, 1].
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]``.
        stride: 1 or 2; ``h' = ceil(h / stride)``.
        implementation: key of :data:`IMPLEMENTATIONS`; default: by device and switches, see
            :func:`choose_implementation`.

    Returns:
        ``[B, O, h', w']`` in float32, or bfloat16 as above; channels last in memory unless MMCV
        computed it.
    """
    device = x.device.type
    low = (device == 'cpu' and torch.is_autocast_enabled(device) and not torch.is_grad_enabled()
           and torch.get_autocast_dtype(device) == torch.bfloat16 and is_fast('deform_conv'))
    dtype = torch.bfloat16 if low else torch.float32
    with without_autocast(device):
        x, offset, mask = x.to(dtype), offset.float(), mask.float()
        weight, bias = weight.to(dtype), bias.to(dtype)
        name = implementation or choose_implementation(x)
        return IMPLEMENTATIONS[name](x, offset, mask, weight, bias, stride)


def choose_implementation(x: Tensor) -> str:
    """Return the name of the fastest implementation for an input.

    MMCV's operation is used on a GPU. On a CPU it is one naive loop, and :mod:`.deform_conv` gives
    the same values faster; that is also what MMCV's wrapper calls where MMCV has no compiled
    operators.
    """
    return 'mmcv' if x.device.type != 'cpu' or not is_fast('deform_conv') else 'plain'


def _plain(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
           stride: int) -> Tensor:
    return deform_conv2d(x, offset, mask, weight, bias, (stride, stride), (1, 1))


def _mmcv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
          stride: int) -> Tensor:
    return mmcv_modulated_deform_conv2d(
        x.contiguous(), offset.contiguous(), mask.contiguous(), weight, bias, stride, 1, 1, 1, 1)


#: Name -> implementation; all compute the same. ``grid_sample`` is for export: it consists of
#: operators that every runtime has.
IMPLEMENTATIONS: dict[str, Callable[..., Tensor]] = dict(
    plain=_plain, mmcv=_mmcv, grid_sample=sampled_deform_conv2d)
