"""One block of the dynamic head (Dai et al., 2021): deformable convolution across levels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glip_mm.ops.deform_conv import view_at_size
from glip_mm.ops.modulated_deform_conv import modulated_deform_conv2d

from .dynamic_relu import DynamicReLU, average
from .shared_image import once


class DeformBranch(nn.Module):
    """Deformable 3x3 convolution with offsets given from outside, and the norm that follows it.

    Attributes:
        implementation: Key of :data:`glip_mm.ops.modulated_deform_conv.IMPLEMENTATIONS`; None: the
            fastest for the device. Exports need ``'grid_sample'``.
    """

    implementation: str | None = None

    def __init__(self, channels: int, stride: int, num_groups: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)
        # the released models' DCN starts from U(+-1/sqrt(9 C)) with zero bias
        bound = (9 * channels)**-0.5
        nn.init.uniform_(self.conv.weight, -bound, bound)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # it has one
        self.norm = nn.GroupNorm(num_groups, channels)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        out = modulated_deform_conv2d(
            x, offset, mask, self.conv.weight,
            self.conv.bias,  # type: ignore[arg-type]  # it has one
            self.stride, self.implementation)
        # the maps of the tower are in bfloat16 where this is
        return out if out.dtype == torch.bfloat16 else out.to(self.conv.weight.dtype)


class DyConv(nn.Module):
    """Mixes each level with its two neighbours, weighs the branches, and activates.

    Args:
        channels: Visual channels ``C``, a multiple of ``num_groups``.
        num_groups: Groups of the normalisation.

    Branch 0 reads the coarser level, 1 the level itself, 2 the finer level; offsets, branch
    weights and the activation are shared by all levels (dynamic head, section 3).
    """

    def __init__(self, channels: int, num_groups: int = 16) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            DeformBranch(channels, stride, num_groups) for stride in (1, 1, 2))
        self.offset = nn.Conv2d(channels, 27, 3, padding=1)
        self.scale_attention = nn.Conv2d(channels, 1, 1)
        nn.init.normal_(self.scale_attention.weight, std=0.01)
        nn.init.zeros_(self.scale_attention.bias)  # type: ignore[arg-type]  # it has one
        self.activation = DynamicReLU(channels)

    def forward(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Process all levels.

        Args:
            feats: Maps ``[B, C, h, w]``, finest first; each level half the size (rounded up)
                of the one before.

        Returns:
            Maps of the same shapes.

        Raises:
            ValueError: If a level has another size.
        """
        if not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
            check_halving([x.shape[-2:] for x in feats])
        return [self._level(feats, level) for level in range(len(feats))]

    def _level(self, feats: Sequence[Tensor], level: int) -> Tensor:
        x = feats[level]
        offset, mask = self.offset(x).float().split((18, 9), dim=1)
        mask = mask.sigmoid()
        convolved = {1: self.branches[1](x, offset, mask)}
        if level > 0:
            convolved[2] = self.branches[2](feats[level - 1], offset, mask)
        if level < len(feats) - 1:
            coarser = feats[level + 1]
            size = coarser.shape[-2:]
            convolved[0] = self.branches[0](coarser, view_at_size(offset, size),
                                            view_at_size(mask, size))
        if torch.is_grad_enabled():
            # five maps to keep for each that is computed here in no time
            return checkpoint(self._mix, list(convolved), *convolved.values(),
                              use_reentrant=False, preserve_rng_state=False)
        return self._mix(list(convolved), *convolved.values())

    def _mix(self, branches: Sequence[int], *convolved: Tensor) -> Tensor:
        """Normalise, weigh by the scale attention, sum and activate.

        Args:
            branches: indices of the branches of ``convolved``; 1 comes first.
            convolved: ``[B, C, h, w]``; branch 0 of the coarser level's size.
        """
        total: Tensor | None = None
        for branch, x in zip(branches, convolved):
            x = self.branches[branch].norm(x)  # type: ignore[operator]  # of a DeformBranch
            if branch == 0:
                # checkpoints depend on the corner-aligned grid
                x = F.interpolate(x, convolved[0].shape[-2:], mode='bilinear', align_corners=True)
            weight = self._branch_weight(x) / len(convolved)
            total = x * weight if total is None else torch.addcmul(total, x, weight)
        return self.activation(total)

    def _branch_weight(self, branch: Tensor) -> Tensor:
        return F.hardsigmoid(F.relu(self.scale_attention(average(branch))))  # [B, 1, 1, 1]


def check_halving(sizes: Sequence[Sequence[int]]) -> None:
    """Refuse maps that are not half as large as those before, rounded up.

    The convolutions between levels would read past the end of a map.

    Args:
        sizes: Height and width of each level, finest first.

    Raises:
        ValueError: If there is one.
    """
    for (h, w), (height, width) in zip(sizes, sizes[1:]):
        if (height, width) != (-(-h // 2), -(-w // 2)):
            raise ValueError(
                f'a feature map of {w} x {h} cells is followed by one of {width} x {height}; the '
                f'fusion needs {-(-w // 2)} x {-(-h // 2)}, half of it rounded up: set '
                'data_preprocessor.pad_size_divisor to the largest stride of the feature maps, or '
                'take a neck that rounds up')


def flatten_levels(feats: Sequence[Tensor]) -> Tensor:
    """Flatten maps ``[B, C, h, w]`` to visual tokens ``[B, N, C]``, level after level."""
    def flatten(*maps: Tensor) -> Tensor:
        return torch.cat([x.permute(0, 2, 3, 1).flatten(1, 2) for x in maps], dim=1)
    return once(flatten, *feats)


def split_levels(tokens: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Split tokens into maps of the sizes of ``like``: inverse of :func:`flatten_levels`."""
    batch, _, channels = tokens.shape
    parts = tokens.transpose(1, 2).split([x.shape[-2] * x.shape[-1] for x in like], dim=2)
    return [p.reshape(batch, channels, *x.shape[-2:]) for p, x in zip(parts, like)]
