"""MMDetection's GLIP with a newer transformers than it was written for."""

import importlib.metadata
import inspect
from functools import partial
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.models.bert.modeling_bert import BertAttention

from glip_mm.compat import has_mmcv_ops
from glip_mm.ops.deform_conv import view_at_size


def mend_port() -> None:
    """Give MMDetection's port what transformers 4.47 to 5 moved, renamed or dropped.

    Call it before MMDetection's models are imported: they look for the first name once. Nothing of
    what the port computes changes; agreement with our outputs is checked before anything is timed.
    """
    from transformers import modeling_utils, pytorch_utils
    if not hasattr(modeling_utils, 'apply_chunking_to_forward'):
        modeling_utils.apply_chunking_to_forward = pytorch_utils.apply_chunking_to_forward
    base = transformers.PreTrainedTokenizerBase
    if not hasattr(base, 'batch_encode_plus'):
        base.batch_encode_plus = base.__call__
    if not hasattr(transformers.BertPreTrainedModel, 'get_extended_attention_mask'):
        transformers.BertPreTrainedModel.get_extended_attention_mask = _extended_mask
    from mmdet.models.utils import vlfuse_helper
    if 'head_mask' not in inspect.signature(BertAttention.forward).parameters:
        vlfuse_helper.BertAttention.forward = _attention


def _extended_mask(model: Any, mask: Tensor, *unused: Any) -> Tensor:
    """Return 0 for words and the lowest number for padding: ``[B, L]`` -> ``[B, 1, 1, L]``."""
    return (1 - mask[:, None, None].to(model.dtype)) * torch.finfo(model.dtype).min


def _attention(layer: Any, hidden: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Attend by the port's own self-attention; residual and normalisation are transformers'."""
    context, *rest = layer.self(hidden, *args, **kwargs)
    return layer.output(context, hidden), *rest


def choose_deform_conv(theirs: nn.Module) -> str:
    """Give the port the fastest deformable convolution that the environment has.

    MMCV's compiled operator, else torchvision's, else what stands in for MMCV's.

    Args:
        theirs: MMDetection's detector, changed in place.

    Returns:
        Whose it is, for the record.
    """
    if has_mmcv_ops():
        return 'MMCV'
    try:
        from torchvision.ops import deform_conv2d
    except ImportError:
        return 'stand-in: glip_mm.ops in plain PyTorch'
    from mmcv.ops import ModulatedDeformConv2d
    for module in theirs.modules():
        if isinstance(module, ModulatedDeformConv2d):
            module.forward = partial(_torchvision, module, deform_conv2d)  # type: ignore[method-assign]
    return f"torchvision {importlib.metadata.version('torchvision')}"


def _torchvision(layer: Any, deform_conv2d: Any, x: Tensor, offset: Tensor,
                 mask: Tensor) -> Tensor:
    """Convolve in float32, as torchvision does under autocast, with offsets read as MMCV's does."""
    reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size)]
    size = [(n + 2 * p - r - 1) // s + 1 for n, p, r, s in
            zip(x.shape[-2:], layer.padding, reach, layer.stride)]
    with torch.autocast(x.device.type, enabled=False):
        out = deform_conv2d(
            x.float(), view_at_size(offset, size).float(), layer.weight.float(),
            None if layer.bias is None else layer.bias.float(), layer.stride, layer.padding,
            layer.dilation, view_at_size(mask, size).float())
    return out.to(offset.dtype)
