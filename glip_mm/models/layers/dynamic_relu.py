"""Dynamic ReLU (Chen et al., 2020, variant B) as the GLIP tower uses it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def average(x: Tensor) -> Tensor:
    """Average maps ``[B, C, h, w]`` to ``[B, C, 1, 1]``."""
    if x.dtype != torch.bfloat16:
        return F.adaptive_avg_pool2d(x, 1)
    # PyTorch's mean would first copy it to float32, in which the sum is made anyway
    return x.sum(dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3])


class DynamicReLU(nn.Module):
    """Piecewise-linear activation whose two slopes and intercepts depend on the pooled input.

    Args:
        channels: Number of channels ``C``.
        reduction: ``C / reduction`` is the width of the hidden layer.

    The four coefficients leave the hidden layer in the order slope 1, intercept 1, slope 2,
    intercept 2, each of width ``C``; checkpoints depend on that order.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.ReLU(),
            nn.Linear(channels // reduction, channels * 4), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Activate a feature map.

        Args:
            x: ``[B, C, h, w]``.

        Returns:
            ``[B, C, h, w]``.
        """
        pooled = average(x).flatten(1)  # [B, C]
        coefficients = self.fc(pooled)[..., None, None] - 0.5  # [B, 4C, 1, 1]
        slope1, bias1, slope2, bias2 = coefficients.chunk(4, dim=1)
        return torch.maximum(torch.addcmul(bias1, x, slope1 * 2 + 1),
                             torch.addcmul(bias2, x, slope2 * 2))
