"""Matrix products on a CPU through oneDNN.

PyTorch multiplies float32 matrices with MKL, which uses the full width of the vector unit on
Intel's processors only, and convolutions with oneDNN, which uses it on all. A product is a
convolution with a 1x1 kernel: the same sums, about twice as fast on an AMD processor with
AVX-512 and no slower elsewhere. Everything that is not float32 on a CPU goes to PyTorch.
"""

from functools import partial

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.wrappers import Linear as MMCVLinear
from torch import Tensor, nn

from .fast_paths import is_fast, known_modules

#: With fewer rows the call costs more than the product.
MIN_ROWS = 32
#: With fewer columns a transposed copy is cheaper than a convolution over columns.
MIN_COLUMNS = 512


def _by_convolution(x: Tensor, weight: Tensor) -> bool:
    return (x.device.type == 'cpu' and x.dtype == weight.dtype == torch.float32
            and torch.backends.mkldnn.is_available() and is_fast('matrix_products')
            and not torch.is_autocast_enabled('cpu'))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``x @ weight.T + bias``.

    Args:
        x: ``[..., K]``.
        weight: ``[M, K]``.
        bias: ``[M]``.

    Returns:
        ``[..., M]``.
    """
    rows = x.numel() // max(x.shape[-1], 1)
    if rows < MIN_ROWS or not _by_convolution(x, weight):
        return F.linear(x, weight, bias)
    image = x.reshape(1, rows, 1, -1).permute(0, 3, 1, 2)  # [1, K, rows, 1], channels last
    out = F.conv2d(image, weight[:, :, None, None], bias)
    return out.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)


def transposed_product(a: Tensor, b: Tensor) -> Tensor:
    """Compute ``a.T @ b``: ``[n, M]``, ``[n, K]`` -> ``[M, K]``."""
    rows, columns = a.shape
    if rows < MIN_ROWS or not _by_convolution(a, b):
        return a.t() @ b
    if columns < MIN_COLUMNS:
        return linear(a.t().contiguous(), b.t())
    image = a.reshape(1, rows, columns, 1)  # channels first as it is
    return F.conv2d(image, b.t()[:, :, None, None]).view(-1, columns).t()


class Float32Linear(nn.Linear):
    """``nn.Linear`` in float32, whatever the type of its input and weights, under autocast too.

    For layers whose weights are read by others: dynamic quantisation, which replaces ``nn.Linear``
    alone, leaves them as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return linear(x.float(), self.weight.float(), self.bias.float())


def _forward(layer: nn.Linear, x: Tensor) -> Tensor:
    return linear(x, layer.weight, layer.bias)


def speed_up_linear(module: nn.Module) -> nn.Module:
    """Let the ``nn.Linear`` of a module multiply by :func:`linear`.

    Names and types stay as they are, so that whatever replaces ``nn.Linear`` (quantisation,
    adapters) finds them. For the same reason MMCV's own, a workaround for a PyTorch long past, are
    replaced by an ``nn.Linear`` that has their parameters.

    Args:
        module: Any module, changed in place, but for parts of other packages' classes: see
            :func:`.fast_paths.known_modules`.

    Returns:
        The module.
    """
    for parent in list(known_modules(module)):
        for name, child in parent.named_children():
            if type(child) is MMCVLinear:
                child = _without_mmcv(child)  # type: ignore[arg-type]  # MMCV has no types
                setattr(parent, name, child)
            if type(child) is nn.Linear:
                # a partial function can be pickled, a method of another name not
                child.forward = partial(_forward, child)  # type: ignore[method-assign]
    return module


def _without_mmcv(layer: nn.Linear) -> nn.Linear:
    plain = nn.Linear(layer.in_features, layer.out_features, device='meta')
    plain.weight, plain.bias = layer.weight, layer.bias
    return plain.train(layer.training)
