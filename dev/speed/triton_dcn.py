"""Modulated deformable convolution (DCNv2) as an implicit matrix product, in Triton.

A program owns a tile of output pixels and output channels. For each of the 9 taps and each block
of input channels it reads the four pixels around every sampling point, weighs them, and multiplies
the samples with a tile of the weight. The samples of the whole map, nine times its size, are never
written, neither forward nor backward. The formula is in
:func:`glip_mm.ops.modulated_deform_conv.modulated_deform_conv2d`.

Sums are in float32 whatever the input's type. It has never run on a GPU, so the package does not
use it: ``dev/measure_gpu.sh`` compares it with the plain formula and tries :data:`TILES`. Importing
this module needs Triton 3, which PyTorch's CUDA builds bring; ``TRITON_INTERPRET=1``, set before
the import, runs the kernels on CPU tensors.

Letters: ``P`` output pixels of all images, ``C`` and ``O`` input and output channels, ``h, w`` the
input's size and ``h', w'`` the output's.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Types that the matrix units multiply.
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


class Tiles(NamedTuple):
    """Pixels, input channels and output channels of a program's tile, and its warps."""

    pixels: int = 64
    channels: int = 32
    outputs: int = 64
    warps: int = 8  # with 4, threads of the backward pass spill registers


#: To try: the first is used where nothing was measured.
TILES = (Tiles(), Tiles(outputs=128), Tiles(pixels=128), Tiles(pixels=128, outputs=128),
         Tiles(channels=64), Tiles(warps=4))


@triton.jit
def _points(offset_ptr, mask_ptr, p, tap, num_p, height, width, out_h, out_w,
            STRIDE: tl.constexpr):
    """Locate what tap ``tap`` of pixels ``p`` reads: ``[BLOCK_P]`` each.

    Returns the row of the pixel above and left of the point, the point's distance from that pixel,
    whether the upper, lower, left and right pixels are in the map, and the modulation.
    """
    area = out_h * out_w
    image = p // area
    at = p % area
    known = p < num_p
    where = offset_ptr + (image * 18 + 2 * tap) * area + at
    y = (at // out_w) * STRIDE + tap // 3 - 1 + tl.load(where, mask=known, other=0.)
    x = (at % out_w) * STRIDE + tap % 3 - 1 + tl.load(where + area, mask=known, other=0.)
    modulation = tl.load(mask_ptr + (image * 9 + tap) * area + at, mask=known, other=0.)
    # a point at -1 exactly has neither value nor gradient, as in MMCV: zero offsets put many there
    near = known & (y > -1) & (y < height) & (x > -1) & (x < width)
    y, x = tl.where(near, y, 0.), tl.where(near, x, 0.)
    y_low, x_low = tl.floor(y), tl.floor(x)
    row, col = y_low.to(tl.int32), x_low.to(tl.int32)
    pixel = (image * height + row).to(tl.int64) * width + col
    return (pixel, y - y_low, x - x_low, near & (row >= 0), near & (row < height - 1),
            near & (col >= 0), near & (col < width - 1), modulation)


@triton.jit
def _rows(ptr, pixel, inside, c, C: tl.constexpr):
    """Compute addresses ``[BLOCK_P, BLOCK_C]`` of pixels' channels, and which of them exist."""
    return ptr + pixel[:, None] * C + c[None, :], inside[:, None] & (c < C)[None, :]


@triton.jit
def _read(ptr, pixel, inside, c, C: tl.constexpr):
    """Read channels of pixels in float32, 0 outside the map: ``[BLOCK_P, BLOCK_C]``."""
    at, exists = _rows(ptr, pixel, inside, c, C)
    return tl.load(at, mask=exists, other=0.).to(tl.float32)


@triton.jit
def _samples(x_ptr, pixel, fy, fx, top, bottom, left, right, modulation, width, c,
             C: tl.constexpr):
    """Compute bilinear samples times the modulation, float32 ``[BLOCK_P, BLOCK_C]``."""
    above = (_read(x_ptr, pixel, top & left, c, C) * (1 - fx)[:, None]
             + _read(x_ptr, pixel + 1, top & right, c, C) * fx[:, None])
    below = (_read(x_ptr, pixel + width, bottom & left, c, C) * (1 - fx)[:, None]
             + _read(x_ptr, pixel + width + 1, bottom & right, c, C) * fx[:, None])
    return (above * (1 - fy)[:, None] + below * fy[:, None]) * modulation[:, None]


@triton.jit
def _forward(x_ptr, offset_ptr, mask_ptr, weight_ptr, bias_ptr, out_ptr,
             num_p, height, width, out_h, out_w,
             C: tl.constexpr, OUTPUTS: tl.constexpr, STRIDE: tl.constexpr, PRECISION: tl.constexpr,
             BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_O: tl.constexpr):
    """Compute a tile ``[BLOCK_P, BLOCK_O]`` of the output."""
    p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    o = tl.program_id(1) * BLOCK_O + tl.arange(0, BLOCK_O)
    total = tl.zeros((BLOCK_P, BLOCK_O), dtype=tl.float32)
    for tap in range(9):
        pixel, fy, fx, top, bottom, left, right, modulation = _points(
            offset_ptr, mask_ptr, p, tap, num_p, height, width, out_h, out_w, STRIDE)
        for start in range(0, C, BLOCK_C):
            c = start + tl.arange(0, BLOCK_C)
            weight = tl.load(weight_ptr + (tap * C + c)[:, None] * OUTPUTS + o[None, :],
                             mask=(c < C)[:, None] & (o < OUTPUTS)[None, :], other=0.)
            samples = _samples(x_ptr, pixel, fy, fx, top, bottom, left, right, modulation, width,
                               c, C)
            total += tl.dot(samples.to(weight.dtype), weight, input_precision=PRECISION)
    total += tl.load(bias_ptr + o, mask=o < OUTPUTS, other=0.)[None, :]
    tl.store(out_ptr + p.to(tl.int64)[:, None] * OUTPUTS + o[None, :], total,
             mask=(p < num_p)[:, None] & (o < OUTPUTS)[None, :])


@triton.jit
def _share(grad, x_ptr, grad_x_ptr, pixel, inside, factor, c, C: tl.constexpr):
    """Give one corner its share of the samples' gradient; ``<grad, corner>``: ``[BLOCK_P]``."""
    at, exists = _rows(grad_x_ptr, pixel, inside, c, C)
    tl.atomic_add(at, grad * factor[:, None], mask=exists, sem='relaxed')
    return tl.sum(grad * _read(x_ptr, pixel, inside, c, C), axis=1)


@triton.jit
def _backward_points(grad_ptr, x_ptr, offset_ptr, mask_ptr, weight_ptr,
                     grad_x_ptr, grad_offset_ptr, grad_mask_ptr,
                     num_p, height, width, out_h, out_w,
                     C: tl.constexpr, OUTPUTS: tl.constexpr, STRIDE: tl.constexpr,
                     PRECISION: tl.constexpr,
                     BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_O: tl.constexpr):
    """Compute gradients of input, offset and mask through one tap of a tile of pixels."""
    p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    tap = tl.program_id(1)
    known = p < num_p
    pixel, fy, fx, top, bottom, left, right, modulation = _points(
        offset_ptr, mask_ptr, p, tap, num_p, height, width, out_h, out_w, STRIDE)
    top_left = tl.zeros((BLOCK_P,), dtype=tl.float32)  # <gradient of the sample, corner>
    top_right = tl.zeros((BLOCK_P,), dtype=tl.float32)
    bottom_left = tl.zeros((BLOCK_P,), dtype=tl.float32)
    bottom_right = tl.zeros((BLOCK_P,), dtype=tl.float32)
    for start in range(0, C, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        grad = tl.zeros((BLOCK_P, BLOCK_C), dtype=tl.float32)  # of the samples
        for first in range(0, OUTPUTS, BLOCK_O):
            o = first + tl.arange(0, BLOCK_O)
            out = tl.load(grad_ptr + p.to(tl.int64)[:, None] * OUTPUTS + o[None, :],
                          mask=known[:, None] & (o < OUTPUTS)[None, :], other=0.)
            weight = tl.load(weight_ptr + (tap * C + c)[None, :] * OUTPUTS + o[:, None],
                             mask=(c < C)[None, :] & (o < OUTPUTS)[:, None], other=0.)
            grad += tl.dot(out, weight, input_precision=PRECISION)
        top_left += _share(grad, x_ptr, grad_x_ptr, pixel, top & left,
                           (1 - fy) * (1 - fx) * modulation, c, C)
        top_right += _share(grad, x_ptr, grad_x_ptr, pixel + 1, top & right,
                            (1 - fy) * fx * modulation, c, C)
        bottom_left += _share(grad, x_ptr, grad_x_ptr, pixel + width, bottom & left,
                              fy * (1 - fx) * modulation, c, C)
        bottom_right += _share(grad, x_ptr, grad_x_ptr, pixel + width + 1, bottom & right,
                               fy * fx * modulation, c, C)
    above = top_left * (1 - fx) + top_right * fx
    below = bottom_left * (1 - fx) + bottom_right * fx
    across = (top_right - top_left) * (1 - fy) + (bottom_right - bottom_left) * fy
    area = out_h * out_w
    image = p // area
    at = p % area
    tl.store(grad_mask_ptr + (image * 9 + tap) * area + at, above * (1 - fy) + below * fy,
             mask=known)
    where = grad_offset_ptr + (image * 18 + 2 * tap) * area + at
    tl.store(where, (below - above) * modulation, mask=known)
    tl.store(where + area, across * modulation, mask=known)


@triton.jit
def _backward_weight(grad_ptr, x_ptr, offset_ptr, mask_ptr, grad_weight_ptr,
                     num_p, height, width, out_h, out_w,
                     C: tl.constexpr, OUTPUTS: tl.constexpr, STRIDE: tl.constexpr,
                     PRECISION: tl.constexpr,
                     BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_O: tl.constexpr):
    """Compute a tile ``[BLOCK_C, BLOCK_O]`` of one tap's gradient, without atomics."""
    tap = tl.program_id(0)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    o = tl.program_id(2) * BLOCK_O + tl.arange(0, BLOCK_O)
    total = tl.zeros((BLOCK_C, BLOCK_O), dtype=tl.float32)
    for start in range(0, num_p, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)
        pixel, fy, fx, top, bottom, left, right, modulation = _points(
            offset_ptr, mask_ptr, p, tap, num_p, height, width, out_h, out_w, STRIDE)
        samples = _samples(x_ptr, pixel, fy, fx, top, bottom, left, right, modulation, width, c, C)
        grad = tl.load(grad_ptr + p.to(tl.int64)[:, None] * OUTPUTS + o[None, :],
                       mask=(p < num_p)[:, None] & (o < OUTPUTS)[None, :], other=0.)
        total += tl.dot(tl.trans(samples.to(grad.dtype)), grad, input_precision=PRECISION)
    tl.store(grad_weight_ptr + (tap * C + c)[:, None] * OUTPUTS + o[None, :], total,
             mask=(c < C)[:, None] & (o < OUTPUTS)[None, :])


def triton_deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor,
                         bias: Tensor | None, stride: int, forward_tiles: Tiles = TILES[0],
                         backward_tiles: Tiles = TILES[0]) -> Tensor:
    """Convolve 3x3 (DCNv2) with padding 1, one group and one deformable group.

    Memory beside arguments and results: a channels-last copy of ``x`` if it isn't in that order
    and a copy of ``weight``. Backward: the gradient of ``x`` in float32 and one copy of the
    output's gradient in the type of ``x``. Kept for the backward pass: these copies and the
    arguments. The gradient of ``x`` is summed by atomic additions, whose order isn't fixed: runs
    differ by rounding.

    Args:
        x: ``[B, C, h, w]``, one of :data:`DTYPES`; samples, weight and the output's gradient are
            rounded to its type before they are multiplied.
        offset: ``[B, 18, h', w']``: (dy, dx) in pixels for the 9 taps in row-major order.
        mask: ``[B, 9, h', w']``.
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]`` or None.
        stride: stride of the output's pixels on the input.
        forward_tiles: Tiles of the forward pass.
        backward_tiles: Tiles of both kernels of the backward pass.

    Returns:
        ``[B, O, h', w']`` in float32, channels last in memory. All tensors get gradients.

    Raises:
        ValueError: If the type or a shape isn't supported.
    """
    reason = unsupported(x, offset, mask, weight, stride)
    if reason:
        raise ValueError(f'triton_deform_conv2d cannot compute this: {reason}')
    rows = x.permute(0, 2, 3, 1).contiguous()
    taps = weight.to(x.dtype).permute(2, 3, 1, 0).contiguous()  # [3, 3, C, O]
    shift = weight.new_zeros(len(weight)) if bias is None else bias
    out = _DeformConv.apply(rows, offset.float().contiguous(), mask.float().contiguous(), taps,
                            shift.float(), stride, forward_tiles, backward_tiles)
    return out.permute(0, 3, 1, 2)


def unsupported(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int) -> str:
    """Explain why :func:`triton_deform_conv2d` cannot compute this; empty if it can."""
    batch, channels = x.shape[:2]
    size = tuple(offset.shape[-2:])
    if int(triton.__version__.split('.')[0]) < 3:
        return f'Triton is {triton.__version__}, and 3.0 or newer is needed'
    if x.dtype not in DTYPES:
        return f'x is {x.dtype}, and must be one of {DTYPES}'
    if stride not in (1, 2) or weight.shape[1:] != (channels, 3, 3):
        return (f'stride {stride} and weight {tuple(weight.shape)}; with {channels} channels they '
                f'must be 1 or 2 and [O, {channels}, 3, 3]')
    if offset.shape != (batch, 18, *size) or mask.shape != (batch, 9, *size):
        return (f'offset {tuple(offset.shape)} and mask {tuple(mask.shape)} must be '
                f'[{batch}, 18, *, *] and [{batch}, 9, *, *] of one size')
    if x.numel() == 0 or offset.numel() == 0 or offset.numel() >= 2**31:
        return f'x {tuple(x.shape)} or offset {tuple(offset.shape)} is empty or too large'
    return ''


class _DeformConv(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor,
                stride: int, forward_tiles: Tiles, backward_tiles: Tiles) -> Tensor:
        """Convolve ``[B, h, w, C]`` with ``[3, 3, C, O]`` to ``[B, h', w', O]``."""
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.stride, ctx.tiles = stride, backward_tiles
        batch, _, out_h, out_w = offset.shape
        out = x.new_empty(batch, out_h, out_w, weight.shape[-1], dtype=torch.float32)
        num_p, sizes, options = _launch(x, offset, weight, stride, forward_tiles)
        grid = (triton.cdiv(num_p, options['BLOCK_P']),
                triton.cdiv(options['OUTPUTS'], options['BLOCK_O']))
        with torch.cuda.device_of(x):
            _forward[grid](x, offset, mask, weight, bias, out, num_p, *sizes, **options)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, offset, mask, weight = ctx.saved_tensors
        num_p, sizes, options = _launch(x, offset, weight, ctx.stride, ctx.tiles)
        out = grad.to(x.dtype).contiguous()
        grad_x = grad_offset = grad_mask = grad_weight = None
        with torch.cuda.device_of(x):
            if any(ctx.needs_input_grad[:3]):
                grad_x = torch.zeros_like(x, dtype=torch.float32)
                grad_offset, grad_mask = torch.empty_like(offset), torch.empty_like(mask)
                _backward_points[triton.cdiv(num_p, options['BLOCK_P']), 9](
                    out, x, offset, mask, weight, grad_x, grad_offset, grad_mask, num_p, *sizes,
                    **options)
                grad_x = grad_x.to(x.dtype)
            if ctx.needs_input_grad[3]:
                grad_weight = torch.empty_like(weight, dtype=torch.float32)
                grid = (9, triton.cdiv(options['C'], options['BLOCK_C']),
                        triton.cdiv(options['OUTPUTS'], options['BLOCK_O']))
                _backward_weight[grid](out, x, offset, mask, grad_weight, num_p, *sizes, **options)
                grad_weight = grad_weight.to(weight.dtype)
        grad_bias = grad.sum((0, 1, 2)) if ctx.needs_input_grad[4] else None
        return grad_x, grad_offset, grad_mask, grad_weight, grad_bias, None, None, None


def _launch(x: Tensor, offset: Tensor, weight: Tensor, stride: int,
            tiles: Tiles = TILES[0]) -> tuple[int, tuple[int, ...], dict[str, Any]]:
    """Return output pixels, sizes ``(h, w, h', w')`` and launch options of the kernels."""
    channels, outputs = weight.shape[-2:]
    sizes = (*x.shape[1:3], *offset.shape[-2:])
    tf32 = torch.backends.cuda.matmul.allow_tf32  # as MMCV's product does it
    # 16 is the least that a matrix unit multiplies
    options = dict(C=channels, OUTPUTS=outputs, STRIDE=stride, PRECISION='tf32' if tf32 else 'ieee',
                   BLOCK_P=tiles.pixels, num_warps=tiles.warps,
                   BLOCK_C=min(tiles.channels, max(16, triton.next_power_of_2(channels))),
                   BLOCK_O=min(tiles.outputs, max(16, triton.next_power_of_2(outputs))))
    return len(x) * sizes[2] * sizes[3], sizes, options
