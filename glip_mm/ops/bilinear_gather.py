"""Bilinear sampling followed by a matrix product, a piece at a time.

A sample is a weighted sum of four rows, the pixels around a point: what an embedding bag is, for
which PyTorch's CPU kernels use all of a vector unit. The samples of a piece of the output stay in
the processor's cache until the matrix product has read them; the whole of them, nine times the
feature map, is never formed, and training keeps only where they came from.

Letters: ``R`` rows (pixels of all images), ``C`` channels, ``P`` output pixels of all images,
``T`` samples of an output pixel, ``O`` output channels.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .matrix_products import linear, transposed_product
from .number_format import without_autocast

#: Output pixels of a piece: their samples (9 x 256 floats each) fit a cache of 10 MB.
PIECE = 1024
#: The same where fewer and larger kernels are worth more than a cache; 150 MB of samples.
PIECE_ON_GPU = 16 * PIECE


def _pieces(index: Tensor) -> Iterator[slice]:
    size = PIECE if index.device.type == 'cpu' else PIECE_ON_GPU
    return (slice(start, start + size) for start in range(0, len(index), size))


def bilinear_corners(offset: Tensor, mask: Tensor, size: Sequence[int], stride: Sequence[int],
                     kernel: Sequence[int] = (3, 3), padding: Sequence[int] = (1, 1),
                     dilation: Sequence[int] = (1, 1)) -> tuple[Tensor, Tensor]:
    """Locate what each of the ``T`` taps of a deformable convolution reads.

    Pairs are (vertical, horizontal).

    Args:
        offset: ``[B, 2 T, h', w']``: (dy, dx) in pixels for the taps in row-major order.
        mask: ``[B, T, h', w']`` factor of each tap.
        size: ``(h, w)`` of the map that is read.
        stride: stride of the output's pixels on that map.
        kernel: Height and width; their product is ``T``.
        padding: Pixels that the first tap of the first output pixel lies outside.
        dilation: Pixels between neighbouring taps.

    Returns:
        Index of the pixel among those of all images, int64 ``[P, T, 4]``, and its weight, 0
        outside the map, ``[P, T, 4]``; gradients go to offset and mask through the weight.
    """
    batch, taps, out_h, out_w = mask.shape
    offset = offset.reshape(batch, taps, 2, out_h, out_w)
    offset = offset.permute(0, 3, 4, 1, 2)  # [B, h', w', T, 2]

    def origins(axis: int, length: int) -> tuple[Tensor, Tensor]:
        pixels = torch.arange(length, device=mask.device, dtype=mask.dtype) * stride[axis]
        steps = torch.arange(kernel[axis], device=mask.device, dtype=mask.dtype) * dilation[axis]
        return pixels, steps - padding[axis]

    def ends(at: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        low = at.detach().floor()
        part = at - low
        pixel = torch.stack((low, low + 1), dim=-1)
        # at exactly -1 MMCV's kernel reads nothing, so no gradient is left either
        inside = (pixel >= 0) & (pixel < limit) & (at > -1)[..., None]
        # an offset that is not a number reads the first pixel, and its weight stays NaN
        return (pixel.nan_to_num(0.).clamp(0, limit - 1).long(),
                torch.stack((1 - part, part), dim=-1) * inside)  # [B, h', w', T, 2]

    rows, row_steps = origins(0, out_h)
    cols, col_steps = origins(1, out_w)
    y = offset[..., 0] + (rows.view(-1, 1, 1) + row_steps.repeat_interleave(kernel[1]))
    x = offset[..., 1] + (cols.view(-1, 1) + col_steps.repeat(kernel[0]))
    height, width = size
    y_pixel, y_weight = ends(y, height)
    x_pixel, x_weight = ends(x, width)
    x_weight = x_weight * mask.permute(0, 2, 3, 1)[..., None]
    image = torch.arange(batch, device=mask.device).view(-1, 1, 1, 1, 1) * height
    index = ((y_pixel + image) * width)[..., None] + x_pixel[..., None, :]
    weight = y_weight[..., None] * x_weight[..., None, :]
    return index.reshape(-1, taps, 4), weight.reshape(-1, taps, 4)


def gather_matmul(rows: Tensor, index: Tensor, corner_weight: Tensor, weight: Tensor,
                  bias: Tensor) -> Tensor:
    """Multiply the samples of rows by a weight matrix.

    ``out[p] = bias + sum_t weight[:, :, t] @ sum_k corner_weight[p, t, k] * rows[index[p, t, k]]``

    Args:
        rows: ``[R, C]``.
        index: ``[P, T, 4]`` int64.
        corner_weight: ``[P, T, 4]``.
        weight: ``[O, C, T]``.
        bias: ``[O]``.

    Returns:
        ``[P, O]``. All arguments but ``index`` get gradients.
    """
    return _GatherMatmul.apply(rows, index, corner_weight, weight, bias)


def sample(rows: Tensor, index: Tensor, corner_weight: Tensor) -> Tensor:
    """Sum rows with weights: ``[R, C]``, ``[p, T, 4]`` twice -> ``[p, T C]``."""
    pieces = F.embedding_bag(index.flatten(0, 1), rows, mode='sum',
                             per_sample_weights=corner_weight.flatten(0, 1).to(rows.dtype))
    return pieces.view(len(index), -1)


def _matrix(weight: Tensor) -> Tensor:
    """Order a convolution's weight as :func:`sample` does: ``[O, C, T]`` -> ``[O, T C]``."""
    return weight.transpose(1, 2).flatten(1)


class _GatherMatmul(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, corner_weight: Tensor, weight: Tensor,
                bias: Tensor) -> Tensor:
        # not the matrix: it would be kept for each level, the parameter is there anyway
        ctx.save_for_backward(rows, index, corner_weight, weight)
        matrix = _matrix(weight)
        out = rows.new_empty(len(index), len(weight))
        for part in _pieces(index):
            out[part] = linear(sample(rows, index[part], corner_weight[part]), matrix, bias)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        with without_autocast(grad.device.type):  # also of who differentiates inside
            return _GatherMatmul.gradients(ctx, grad)

    @staticmethod
    def gradients(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        rows, index, corner_weight, weight = ctx.saved_tensors
        wants_rows, _, wants_corners, wants_weight, wants_bias = ctx.needs_input_grad
        grad = grad.contiguous()
        grad_rows = torch.zeros_like(rows) if wants_rows else None
        grad_corners = torch.empty_like(corner_weight) if wants_corners else None
        matrix = _matrix(weight)
        grad_matrix = torch.zeros_like(matrix) if wants_weight else None
        for part in _pieces(index):
            if grad_matrix is not None:
                sampled = sample(rows, index[part], corner_weight[part])
                grad_matrix += transposed_product(sampled, grad[part]).t()
            if grad_rows is None and grad_corners is None:
                continue
            grad_samples = linear(grad[part], matrix.t()).reshape(-1, rows.shape[1])  # [p T, C]
            if grad_rows is not None:
                grad_rows += scatter(grad_samples, index[part], corner_weight[part], len(rows))
            if grad_corners is not None:
                grad_corners[part] = _corner_gradient(grad_samples, rows, index[part])
        grad_weight = None
        if grad_matrix is not None:
            grad_weight = grad_matrix.view(len(weight), -1, weight.shape[1]).transpose(1, 2)
        return (grad_rows, None, grad_corners, grad_weight,
                grad.sum(dim=0) if wants_bias else None)


def scatter(samples: Tensor, index: Tensor, corner_weight: Tensor, num_rows: int) -> Tensor:
    """Add samples to their rows, the transpose of :func:`sample`: ``[p T, C]`` -> ``[R, C]``.

    Sorted by row, the shares of a row stand together and are a bag again: nothing is added
    concurrently, so the result does not depend on the number of threads.
    """
    row, order = index.flatten().sort(stable=True)
    first = torch.searchsorted(row, torch.arange(num_rows, device=row.device))
    return F.embedding_bag(order // 4, samples, first, mode='sum',
                           per_sample_weights=corner_weight.flatten()[order])


def _corner_gradient(grad_samples: Tensor, rows: Tensor, index: Tensor) -> Tensor:
    """Compute ``<grad_samples, row>`` of each corner, ``[p, T, 4]``.

    By the operator of an embedding bag's backward pass, without the forward pass before it.
    """
    count = len(grad_samples)
    bags = torch.arange(count, device=rows.device)
    found = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        grad_samples, rows, index.flatten(), 4 * bags, bags.repeat_interleave(4), mode=0)
    return found.view_as(index)
