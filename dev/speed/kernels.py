"""The Triton kernels of the deformable convolution beside the plain formula."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from glip_mm.ops.deform_conv import deform_conv2d

from .agreement import Disagreement
from .running import DTYPES
from .stages import synchronizer

#: Largest difference accepted, as a share of the largest value.
TOLERANCES = dict(float32=1e-4, bfloat16=2e-2, float16=1e-2)
ARGUMENTS = ('input', 'offset', 'mask', 'weight', 'bias')


def make_leaves(channels: int, outputs: int, size: tuple[int, int], stride: int, batch: int = 1,
                device: str = 'cpu', dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Draw input, offset, mask, weight and bias with values that ``dtype`` can hold.

    Returns:
        float32 tensors that require gradients.
    """
    generator = torch.Generator().manual_seed(0)
    out_size = [-(-s // stride) for s in size]
    offset = torch.randn(batch, 18, *out_size, generator=generator) * 3  # often outside the image
    offset[:, ::5] = 0  # taps of the border at -1 exactly
    made = (torch.randn(batch, channels, *size, generator=generator), offset,
            torch.rand(batch, 9, *out_size, generator=generator),
            torch.randn(outputs, channels, 3, 3, generator=generator) / (9 * channels)**.5,
            torch.randn(outputs, generator=generator))
    return [t.to(dtype).float().to(device).requires_grad_() for t in made]


def compare_kernels(device: str, dtype: str, stride: int, size: tuple[int, int], channels: int,
                    tried: int) -> dict[str, Any]:
    """Compare values and gradients, then time both passes with several tiles.

    Args:
        device: ``'cuda'``, or ``'cpu'`` for Triton's interpreter.
        dtype: Precision of the input, a key of ``TOLERANCES``; the formula runs in it, too.
        stride: stride of the convolution.
        size: ``(h, w)`` of the input.
        channels: Number of input and output channels.
        tried: Number of ``TILES`` to try.

    Returns:
        ``differences`` of the output and the five gradients (share of the largest value), and
        seconds of the forward and the backward pass: of the ``formula``, of ``torchvision`` where
        it is installed, and of ``triton`` with the best tiles, which are named.

    Raises:
        ImportError: If Triton is not installed.
        Disagreement: If values or gradients differ by more than :data:`TOLERANCES`.
    """
    try:
        from .triton_dcn import TILES, triton_deform_conv2d
    except ImportError as error:
        raise ImportError("Triton is needed, which PyTorch's CUDA builds bring: "
                          f'{error}') from error
    leaves = make_leaves(channels, channels, size, stride, 1, device, DTYPES[dtype])
    apart = differences(leaves, dtype, stride)
    if not max(apart.values()) <= TOLERANCES[dtype]:
        raise Disagreement(f'the Triton kernels differ from the plain formula: {apart}')
    args = _as_called(leaves, dtype)
    found: dict[str, Any] = dict(differences=apart, tiles={},
                                 formula=_seconds(_formula(stride), args, device))
    vision = _torchvision(stride)
    if vision:
        found['torchvision'] = _seconds(vision, leaves, device)

    def triton(tiles: Any) -> Callable[..., Tensor]:
        return lambda *args: triton_deform_conv2d(*args, stride, tiles, tiles)

    for tiles in TILES[:tried]:
        try:
            found['tiles'][str(tuple(tiles))] = _seconds(triton(tiles), args, device)
        except Exception as error:  # of Triton: more shared memory or registers than there are
            found['tiles'][str(tuple(tiles))] = dict(error=f'{type(error).__name__}: {error}'[:200])
    for way in ('forward', 'backward'):
        fit = {name: took[way] for name, took in found['tiles'].items() if way in took}
        best = min(fit, key=fit.__getitem__)
        found.setdefault('triton', {})[way] = fit[best]
        found.setdefault('best', {})[way] = best
    return found


def differences(leaves: list[Tensor], dtype: str, stride: int) -> dict[str, float]:
    """Compare values and gradients of the kernels with the plain formula's in float32.

    Args:
        leaves: Arguments from :func:`make_leaves`.
        dtype: Precision of the kernels' input, a key of ``TOLERANCES``.
        stride: stride of the convolution.

    Returns:
        The output and each argument's gradient -> largest difference, as a share of the largest
        value (of 1, if that is less).
    """
    from .triton_dcn import triton_deform_conv2d

    def values(function: Callable[..., Tensor], args: list[Tensor]) -> list[Tensor]:
        out = function(*args)
        probe = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
        probe = probe.to(DTYPES[dtype]).to(out)
        return [out, *torch.autograd.grad(out, args, probe)]

    wanted = values(_formula(stride), leaves)
    got = values(lambda *args: triton_deform_conv2d(*args, stride), _as_called(leaves, dtype))
    return {name: ((a - b).abs().max() / a.abs().max().clamp(min=1)).item()
            for name, a, b in zip(('output', *ARGUMENTS), wanted, got)}


def _as_called(leaves: list[Tensor], dtype: str) -> list[Tensor]:
    """Return the arguments with an input of a lower precision; the others stay float32."""
    return [leaves[0].detach().to(DTYPES[dtype]).requires_grad_(), *leaves[1:]]


def _formula(stride: int) -> Callable[..., Tensor]:
    def convolve(x: Tensor, *others: Tensor) -> Tensor:
        return deform_conv2d(x, *(t.to(x.dtype) for t in others), (stride, stride), (1, 1))
    return convolve


def _torchvision(stride: int) -> Callable[..., Tensor] | None:
    try:
        from torchvision.ops import deform_conv2d as vision
    except ImportError:
        return None
    return lambda x, offset, mask, weight, bias: vision(x, offset, weight, bias, stride, 1, 1, mask)


def _seconds(function: Callable[..., Tensor], args: list[Tensor], device: str) -> dict[str, float]:
    """Return the median seconds of both passes."""
    synchronize = synchronizer(device)
    took: dict[str, list[float]] = dict(forward=[], backward=[])
    for run in range(-2, 5) if device.startswith('cuda') else range(1):
        synchronize()
        start = time.perf_counter()
        out = function(*args)
        synchronize()
        middle, probe = time.perf_counter(), torch.ones_like(out)
        synchronize()
        again = time.perf_counter()
        torch.autograd.grad(out, args, probe)
        synchronize()
        if run >= 0:
            took['forward'].append(middle - start)
            took['backward'].append(time.perf_counter() - again)
    return {way: statistics.median(times) for way, times in took.items()}
