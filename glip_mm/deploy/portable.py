"""A copy of a detector that consists of standard operators."""

import copy

from mmdet.models.backbones.swin import ShiftWindowMSA
from mmdet.models.layers import PatchMerging
from mmdet.models.layers.transformer.utils import AdaptivePadding
from torch import nn

from glip_mm.models import GLIP
from glip_mm.models.layers.dynamic_conv import DeformBranch

from .swin import PortablePatchMerging, PortableWindowAttention

REPLACEMENTS = {
    ShiftWindowMSA: PortableWindowAttention,
    PatchMerging: PortablePatchMerging,
    # the whole detector pads its input to a multiple of all strides
    AdaptivePadding: lambda original: nn.Identity(),
}


def portable_copy(model: GLIP) -> GLIP:
    """Replace what can't be exported, in a copy that shares all weights with the original."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    # the encoder of the text is no part of an exported model
    shared[id(model.language_model)] = None
    shared[id(model.prompts)] = None
    duplicate = copy.deepcopy(model, shared)
    _replace(duplicate)
    for module in duplicate.modules():
        if isinstance(module, DeformBranch):
            module.implementation = 'grid_sample'
    return duplicate.eval()


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        replacement = REPLACEMENTS.get(type(child))
        if replacement is None:
            _replace(child)
        else:
            setattr(module, name, replacement(child))
