"""Swin's feed-forward layers some rows at a time, so that the hidden layer stays in the cache.

The plain form computes ``x + W2 gelu(W1 x + b1) + b2`` for all pixels at once; the hidden layer has
four times the channels of ``x``. The values are the same.
"""

import torch
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn

from glip_mm.ops.fast_paths import is_fast, replace_forward
from glip_mm.ops.matrix_products import linear, linear_gelu

#: Elements of the hidden layer that are computed at a time.
HIDDEN = 1 << 20


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
    dtype = torch.get_autocast_dtype('cpu') if torch.is_autocast_enabled('cpu') else x.dtype
    (first, first_bias), (second, second_bias) = (
        (m.weight.to(dtype), None if m.bias is None else m.bias.to(dtype))
        for m in (layer.layers[0][0], layer.layers[1]))
    identity = x if identity is None else identity
    rows, added = x.flatten(0, -2), identity.flatten(0, -2)
    out = torch.empty_like(added, dtype=torch.promote_types(added.dtype, dtype))
    with torch.autocast('cpu', enabled=False):
        size = max(HIDDEN // len(first), 1)
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            hidden = linear_gelu(rows[block].to(dtype), first, first_bias)
            torch.add(added[block], linear(hidden, second, second_bias), out=out[block])
    return out.view_as(identity)


def _is_plain(layer: FFN) -> bool:
    """Return True if nothing learns, drops out or is hooked, and the layers are of known kinds."""
    parts = list(layer.layers.modules())
    kinds = [type(m) for m in parts if not list(m.children())]
    return (not torch.is_grad_enabled() and not layer.training and layer.add_identity
            and kinds == [nn.Linear, nn.GELU, nn.Dropout, nn.Linear, nn.Dropout]
            and layer.layers[0][1].approximate == 'none'
            and isinstance(getattr(layer, 'gamma2', nn.Identity()), nn.Identity)
            and not any(m._forward_hooks or m._forward_pre_hooks for m in parts))


def speed_up_feed_forward(module: nn.Module) -> nn.Module:
    """Let MMCV's feed-forward networks go by :func:`feed_forward_by_rows`; names and types stay.

    See :func:`glip_mm.ops.fast_paths.replace_forward`.
    """
    return replace_forward(module, FFN, feed_forward_by_rows)
