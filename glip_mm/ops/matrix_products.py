"""Matrix products on a CPU through oneDNN.

PyTorch multiplies float32 matrices with MKL, which uses the full width of the vector unit on
Intel's processors only. oneDNN uses it on all, and PyTorch has an operator for it, made for the
linear layers of compiled models: the same sums. Everything that is not float32 on a CPU goes to
PyTorch's own functions, which send bfloat16 to oneDNN themselves.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.wrappers import Linear as MMCVLinear
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry, register_flop_formula

from .fast_paths import is_fast, known_modules, replace_forward
from .number_format import without_autocast

#: With fewer rows the call costs more than the product.
MIN_ROWS = 32
#: ``(x, weight, bias, activation, its scalars, its variant)``; None where PyTorch lacks oneDNN.
ONEDNN_LINEAR = getattr(torch.ops.mkldnn, '_linear_pointwise', None)


def _by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None,
               dtype: torch.dtype = torch.float32) -> bool:
    return (x.device.type == 'cpu' and x.dtype == weight.dtype == dtype and weight.dim() == 2
            # the operator takes a bias as it lies in memory
            and (bias is None or bias.dtype == dtype and bias.shape == weight.shape[:1]
                 and bias.is_contiguous())
            and x.numel() >= MIN_ROWS * max(x.shape[-1], 1) and ONEDNN_LINEAR is not None
            and bool(torch.backends.mkldnn.enabled) and is_fast('matrix_products')
            and not torch.is_autocast_enabled('cpu')
            # a trace is for other runtimes, or counts operators that it knows
            and not torch.jit.is_tracing())


if ONEDNN_LINEAR is not None and ONEDNN_LINEAR not in flop_registry:
    @register_flop_formula(ONEDNN_LINEAR)
    def _flops(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
        """Count the operations of a product, for PyTorch's counter."""
        return 2 * math.prod(x) * weight[0]


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None,
             activation: str = 'none') -> Tensor:
    assert ONEDNN_LINEAR is not None
    return ONEDNN_LINEAR(x, weight, bias, activation, [], 'none')


class _Linear(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        return (_product(grad, weight.t()) if wants_x else None,
                transposed_product(rows, x.flatten(0, -2)) if wants_weight else None,
                rows.sum(dim=0) if wants_bias else None)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``x @ weight.T + bias``.

    Args:
        x: ``[..., K]``.
        weight: ``[M, K]``.
        bias: ``[M]``.

    Returns:
        ``[..., M]``.
    """
    if not _by_onednn(x, weight, bias):
        return F.linear(x, weight, bias)
    learns = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in (x, weight, bias))
    return (_Linear.apply if learns else _product)(x, weight, bias)


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``gelu(x @ weight.T + bias)``, at once where nothing learns.

    The arguments and what is returned are those of :func:`linear`.
    """
    if torch.is_grad_enabled() or not (_by_onednn(x, weight, bias) or (
            _by_onednn(x, weight, bias, torch.bfloat16)
            and torch.ops.mkldnn._is_mkldnn_bf16_supported())):
        return F.gelu(linear(x, weight, bias))
    return _product(x, weight, bias, 'gelu')


def transposed_product(a: Tensor, b: Tensor) -> Tensor:
    """Compute ``a.T @ b``: ``[n, M]``, ``[n, K]`` -> ``[M, K]``, columns first in memory.

    Of the two orders oneDNN is faster with the narrower matrix first, as ``b`` is here.
    """
    return linear(b.t(), a.t()).t()


class Float32Linear(nn.Linear):
    """``nn.Linear`` in float32, whatever the type of its input and weights, under autocast too.

    For layers whose weights are read by others: dynamic quantisation, which replaces ``nn.Linear``
    alone, leaves them as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        with without_autocast(x.device.type):
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
            if type(child) is MMCVLinear and 'forward' not in child.__dict__:
                child = _without_mmcv(child)  # type: ignore[arg-type]  # MMCV has no types
                setattr(parent, name, child)
    return replace_forward(module, nn.Linear, _forward)


def _without_mmcv(layer: nn.Linear) -> nn.Linear:
    plain = nn.Linear(layer.in_features, layer.out_features, device='meta')
    plain.weight, plain.bias = layer.weight, layer.bias
    return plain.train(layer.training)
