"""Roofline of the machine, and how near a run comes to it."""

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from glip_mm.compat import has_mmcv_ops

from .running import DTYPES
from .stages import synchronizer


def _best(work: Callable[[], object], device: str, seconds: float) -> float:
    """Return the shortest time of a piece of work, of as many repetitions as fit."""
    synchronize = synchronizer(device)
    work()
    synchronize()
    best, end = float('inf'), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        work()
        synchronize()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return best


def measure_ceilings(device: str, dtype: str, seconds: float = 1.0,
                     side: int = 0) -> dict[str, float]:
    """Measure the throughput of matrix products and copies on this machine.

    Args:
        device: Device type, ``'cpu'`` or ``'cuda'``.
        dtype: Precision, a key of ``DTYPES``.
        seconds: Time to spend on each measurement.
        side: Side of the square matrix, which multiplies one of 16 times as many rows; default:
            large enough to saturate the device.

    Returns:
        ``flops`` (floating-point operations per second of a large matrix product, the faster
        of PyTorch's product and its 1x1 convolution: on a CPU these use different libraries) and
        ``bytes`` (read and written per second by a copy much larger than the caches).
    """
    side = side or (8192 if device.startswith('cuda') else 1024)
    rows = 16 * side  # as many as a feature map has pixels
    a = torch.randn((rows, side), device=device, dtype=DTYPES[dtype])
    b = torch.randn((side, side), device=device, dtype=DTYPES[dtype])
    out = torch.empty_like(a)
    image, kernel = a.reshape(1, rows, 1, side).permute(0, 3, 1, 2), b[:, :, None, None]
    products = (lambda: torch.mm(a, b, out=out), lambda: F.conv2d(image, kernel))
    with torch.no_grad():
        flops = 2 * rows * side**2 / min(_best(product, device, seconds) for product in products)
    source = torch.zeros(64 * side**2, device=device)
    target = torch.ones_like(source)
    moved = 2 * source.numel() * 4
    copy = moved / _best(lambda: target.copy_(source), device, seconds)
    return dict(flops=flops, bytes=copy)


#: Operations that access no memory although they return tensors.
_FREE = ('empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', 'detach',
         '_unsafe_view')


class OpCosts(TorchDispatchMode):
    """Lower bound of a run's time if each operation ran at the machine's ceilings.

    An operation takes at least the longer of its arithmetic at the matrix ceiling and its inputs
    and outputs at the copy ceiling. Fused operations can be faster than the sum; the arithmetic
    alone (``flops``) is a bound for any fusion.
    """

    def __init__(self, flops: float, bandwidth: float) -> None:
        super().__init__()
        self._flops, self._bandwidth = flops, bandwidth
        self.seconds, self.bytes = 0.0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func.is_view or func._opname in _FREE:
            return out
        moved = sum(t.numel() * t.element_size() for t in tree_flatten((args, kwargs, out))[0]
                    if isinstance(t, Tensor))
        count = flop_registry.get(func._overloadpacket)
        work = count(*args, **kwargs, out_val=out) if count else 0
        self.seconds += max(work / self._flops, moved / self._bandwidth)
        self.bytes += moved
        return out


def count_costs(run: Callable[[], object], ceilings: dict[str, float]) -> dict[str, Any]:
    """Count the FLOPs of a run and its bounds at the ceilings.

    Args:
        run: Function that does the work once.
        ceilings: Throughputs from :func:`measure_ceilings`.

    Returns:
        ``flops``, ``bytes``, ``bound`` (seconds, operation by operation) and ``matrix_bound``
        (seconds of the arithmetic alone).
    """
    counter, costs = FlopCounterMode(display=False), OpCosts(ceilings['flops'], ceilings['bytes'])
    with costs, counter, _counting_deform_conv() as unseen:
        run()
    flops = counter.get_total_flops() + sum(unseen)
    return dict(flops=flops, bytes=costs.bytes, matrix_bound=flops / ceilings['flops'],
                bound=costs.seconds + sum(unseen) / ceilings['flops'])


class _Watched:
    """MMCV's compiled operations, which record the FLOPs of deformable convolutions in a list."""

    def __init__(self, extension: Any, found: list[int]) -> None:
        self._extension, self._found = extension, found

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._extension, name)
        # the backward pass computes the gradients of the columns and of the weight
        passes = dict(modulated_deform_conv_forward=1, modulated_deform_conv_backward=2).get(name)
        if passes is None:
            return function

        def run(x: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, offset: Tensor,
                *args: Any, **kwargs: Any) -> Any:
            positions = offset.shape[0] * offset.shape[2] * offset.shape[3]
            self._found.append(passes * 2 * positions * weight.numel())
            return function(x, weight, bias, ones, offset, *args, **kwargs)
        return run


@contextlib.contextmanager
def _counting_deform_conv() -> Iterator[list[int]]:
    """Count the FLOPs of MMCV's compiled operator, which torch's counter does not see."""
    module = importlib.import_module('mmcv.ops.modulated_deform_conv')
    found: list[int] = []
    if not has_mmcv_ops():  # the stand-in consists of matrix products that the counter sees
        yield found
        return
    real = module.ext_module
    module.ext_module = _Watched(real, found)
    try:
        yield found
    finally:
        module.ext_module = real
