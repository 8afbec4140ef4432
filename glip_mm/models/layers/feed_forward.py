"""Swin's feed-forward layers some rows at a time, so that the hidden layer stays in the cache.

The plain form computes ``x + W2 gelu(W1 x + b1) + b2`` for all pixels at once; the hidden layer has
four times the channels of ``x``. The values are the same.
"""

import torch
from mmcv.cnn.bricks.drop import DropPath
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model import Sequential
from torch import Tensor, nn

from glip_mm.ops.fast_paths import as_built, is_fast, replace_forward
from glip_mm.ops.matrix_products import linear, linear_gelu
from glip_mm.ops.number_format import product_type, without_autocast

#: Elements of the hidden layer that are computed at a time.
HIDDEN = 1 << 20
#: What MMCV's two layers hold.
_KINDS = [Sequential, Sequential, nn.Linear, nn.GELU, nn.Dropout, nn.Linear, nn.Dropout]


def feed_forward_by_rows(layer: FFN, x: Tensor, identity: Tensor | None = None) -> Tensor:
    """Compute MMCV's two-layer feed-forward network, a block of rows at a time.

    MMCV's own steps are taken where something learns, on a GPU, and where the layers are others
    than linear ones with GELU between them.

    Args:
        layer: Network ``[..., C]`` -> ``[..., C]``.
        x: ``[..., C]``.
        identity: What is added, ``[..., C]``; default: ``x``.

    Returns:
        ``[..., C]``.
    """
    if not (is_fast('feed_forward') and x.device.type == 'cpu' and _is_plain(layer)):
        return FFN.forward(layer, x, identity)
    dtype = product_type(x)
    (first, first_bias), (second, second_bias) = (
        (m.weight.to(dtype), None if m.bias is None else m.bias.to(dtype))
        for m in (layer.layers[0][0], layer.layers[1]))
    identity = x if identity is None else identity
    rows, added = x.flatten(0, -2), identity.flatten(0, -2)
    out = torch.empty_like(added, dtype=torch.promote_types(added.dtype, dtype))
    with without_autocast('cpu'):
        size = max(HIDDEN // len(first), 1)
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            hidden = linear_gelu(rows[block].to(dtype), first, first_bias)
            torch.add(added[block], linear(hidden, second, second_bias), out=out[block])
    return out.view_as(identity)


def _is_plain(layer: FFN) -> bool:
    """Return True if nothing learns, drops out or is hooked, and the layers are of known kinds."""
    parts = [m for m in layer.modules() if m is not layer]
    return (not torch.is_grad_enabled() and not layer.training and layer.add_identity
            and [type(m) for m in layer.layers.modules()] == _KINDS
            and layer.layers[0][1].approximate == 'none'
            and all(type(m) in (nn.Identity, DropPath) for m in parts[len(_KINDS):])
            and all(as_built(m, type(m)) for m in parts)
            and not any(m.training for m in parts if type(m) in (nn.Dropout, DropPath)))


def speed_up_feed_forward(module: nn.Module) -> nn.Module:
    """Let MMCV's feed-forward networks go by :func:`feed_forward_by_rows`; names and types stay.

    See :func:`glip_mm.ops.fast_paths.replace_forward`.
    """
    return replace_forward(module, FFN, feed_forward_by_rows)
