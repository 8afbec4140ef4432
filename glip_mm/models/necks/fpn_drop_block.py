"""Feature pyramid with the DropBlock of GLIP's training."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.necks import FPN
from torch import Tensor

from glip_mm.registry import MODELS


def drop_block(x: Tensor, prob: float, size: int) -> Tensor:
    """Zero random squares, the same for all channels, and rescale what is left.

    Args:
        x: ``[B, C, h, w]``.
        prob: Expected share of dropped cells (before overlaps).
        size: Odd side of a square in cells.

    Returns:
        ``[B, C, h, w]``.
    """
    seeds = (torch.rand(x.shape[0], 1, *x.shape[2:], device=x.device) < prob / size**2).to(x.dtype)
    keep = 1 - F.max_pool2d(seeds, size, stride=1, padding=size // 2)
    return x * keep * (keep.numel() / keep.sum().clamp(min=1))


@MODELS.register_module()
class FPNDropBlock(FPN):
    """MMDetection's FPN whose output convolutions see DropBlock-ed input in training.

    As in GLIP's training the two finest levels are dropped, only on the input of their output
    convolution: the top-down path stays clean. In evaluation it equals ``FPN``.

    Args:
        drop_prob: Probability; 0 switches it off.
        drop_size: Side of a dropped square in cells.
    """

    def __init__(self, *args, drop_prob: float = 0.3, drop_size: int = 3, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.drop_prob, self.drop_size = drop_prob, drop_size
        for conv in list(self.fpn_convs)[:self.backbone_end_level - self.start_level - 1]:
            conv.register_forward_pre_hook(self._drop)

    def _drop(self, module: torch.nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor]:
        if self.training and self.drop_prob > 0:
            return (drop_block(inputs[0], self.drop_prob, self.drop_size),)
        return (inputs[0],)
