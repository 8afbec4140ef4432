"""Stand-in for MMCV's compiled module ``mmcv._ext`` in plain PyTorch: the operators used here.

Functions have the names, arguments and in-place results of the compiled ones, so that MMCV's own
wrappers (``mmcv.ops``) call either. :func:`glip_mm.compat.stand_in_for_mmcv_ops` puts them there.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .deform_conv import deform_conv2d, view_at_size
from .nms import nms
from .number_format import without_autocast

__all__ = ['get_compiler_version', 'get_compiling_cuda_version', 'modulated_deform_conv_backward',
           'modulated_deform_conv_forward', 'nms']


def get_compiler_version() -> str:
    """Tell environment reports that nothing was compiled."""
    return 'n/a (glip_mm.ops in plain PyTorch)'


get_compiling_cuda_version = get_compiler_version


def modulated_deform_conv_forward(input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor,
                                  offset: Tensor, mask: Tensor, output: Tensor, columns: Tensor,
                                  **geometry: Any) -> None:
    """Write the convolution into ``output``.

    Args:
        input: ``[B, C, h, w]``.
        weight: ``[O, C / groups, kernel height, kernel width]``.
        bias: ``[O]``; read only with ``with_bias``.
        ones: Buffer of the compiled operator, not used.
        offset: ``[B, 2 D T, h', w']``, or of a larger map, whose memory is then read as if it had
            the output's size: :func:`.deform_conv.view_at_size`.
        mask: ``[B, D T, h', w']``; likewise.
        output: ``[B, O, h', w']``.
        columns: Buffer of the compiled operator, not used.
        **geometry: ``kernel_h``, ``kernel_w``, ``stride_h``, ``stride_w``, ``pad_h``, ``pad_w``,
            ``dilation_h``, ``dilation_w``, ``group``, ``deformable_group``, ``with_bias``.
    """
    output.copy_(_convolve(input, offset, mask, weight, bias, output.shape[-2:], geometry))


def modulated_deform_conv_backward(input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor,
                                   offset: Tensor, mask: Tensor, columns: Tensor,
                                   grad_input: Tensor, grad_weight: Tensor, grad_bias: Tensor,
                                   grad_offset: Tensor, grad_mask: Tensor, grad_output: Tensor,
                                   **geometry: Any) -> None:
    """Write the gradients into the tensors that are named after them.

    The other arguments are those of :func:`modulated_deform_conv_forward`.
    """
    input, offset, mask, weight, bias = leaves = [
        tensor.detach().requires_grad_() for tensor in (input, offset, mask, weight, bias)]
    wanted: tuple[Tensor, ...] = (grad_input, grad_offset, grad_mask, grad_weight, grad_bias)
    if not geometry['with_bias']:
        wanted = wanted[:-1]
    with torch.enable_grad():
        output = _convolve(input, offset, mask, weight, bias, grad_output.shape[-2:], geometry)
        gradients = torch.autograd.grad(output, leaves[:len(wanted)], grad_output)
    for target, gradient in zip(wanted, gradients):
        target.copy_(gradient)


def _convolve(input: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
              size: Sequence[int], geometry: dict) -> Tensor:
    def pair(name: str) -> tuple[int, int]:
        return geometry[f'{name}_h'], geometry[f'{name}_w']

    if not geometry['with_bias']:
        bias = weight.new_zeros(len(weight))
    offset, mask = view_at_size(offset, size), view_at_size(mask, size)
    with without_autocast(input.device.type):  # operators compute in their own type
        return deform_conv2d(input, offset, mask, weight, bias, pair('stride'), pair('pad'),
                             pair('dilation'), geometry['group'], geometry['deformable_group'])
