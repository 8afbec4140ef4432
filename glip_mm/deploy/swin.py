"""MMDetection's Swin transformer without Python arithmetic on image sizes.

The originals compute a batch size as ``int(windows / (height * width / 49))`` and paint their
attention mask slice by slice: while a model is exported, the first freezes the image size and the
second becomes hundreds of scatters.
"""


import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import ShiftWindowMSA
from mmdet.models.layers import PatchMerging
from torch import Tensor, nn

#: Added to the score of two cells of a shifted window that are no neighbours in the image.
APART = -100.0


class PortableWindowAttention(nn.Module):
    """(Shifted) window attention on ``[B, h w, C]``; weights are shared with the original."""

    def __init__(self, original: ShiftWindowMSA) -> None:
        super().__init__()
        self.w_msa = original.w_msa
        self.window, self.shift = original.window_size, original.shift_size

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Update tokens ``[B, h w, C]`` of a map of ``hw_shape``."""
        window, shift = self.window, self.shift
        height, width = hw_shape
        batch, channels = query.shape[0], query.shape[2]
        x = query.reshape(batch, height, width, channels)
        down, across = (height + window - 1) // window, (width + window - 1) // window
        full_h, full_w = down * window, across * window
        x = F.pad(x, (0, 0, 0, full_w - width, 0, full_h - height))
        if shift:
            x = torch.roll(x, (-shift, -shift), (1, 2))
        windows = x.reshape(batch, down, window, across, window, channels)
        windows = windows.permute(0, 1, 3, 2, 4, 5).reshape(-1, window * window, channels)
        mask = self._mask(full_h, full_w, down, across, x.device) if shift else None
        windows = self.w_msa(windows, mask)
        x = windows.reshape(batch, down, across, window, window, channels)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(batch, full_h, full_w, channels)
        if shift:
            x = torch.roll(x, (shift, shift), (1, 2))
        return x[:, :height, :width].reshape(batch, height * width, channels)

    def _mask(self, height: int, width: int, down: int, across: int,
              device: torch.device) -> Tensor:
        """Build ``[windows, w w, w w]``: 0 between neighbours, ``APART`` between the others."""
        def part(size: int) -> Tensor:  # which of three parts of the image a cell came from
            cell = torch.arange(size, device=device)
            return ((cell >= size - self.window).float() + (cell >= size - self.shift).float())

        parts = part(height)[:, None] * 3 + part(width)
        parts = parts.reshape(down, self.window, across, self.window)
        parts = parts.permute(0, 2, 1, 3).reshape(-1, self.window * self.window)
        return (parts[:, None] != parts[:, :, None]).float() * APART


class PortablePatchMerging(nn.Module):
    """2x2 cells to one of twice the channels; weights are shared with the original.

    Sizes must be even: the whole detector pads its input so that they are.

    Raises:
        ValueError: If the original merges anything but 2x2 cells.
    """

    def __init__(self, original: PatchMerging) -> None:
        super().__init__()
        if original.sampler.kernel_size != (2, 2) or original.sampler.stride != (2, 2):
            raise ValueError(f'a patch merging of {original.sampler.kernel_size} cells can not be '
                             'exported, only one of (2, 2)')
        self.norm, self.reduction = original.norm, original.reduction

    def forward(self, x: Tensor, input_size: tuple[int, int]
                ) -> tuple[Tensor, tuple[int, int]]:
        """Merge tokens ``[B, h w, C]`` to ``[B, h w / 4, 2 C]``; return their size, too."""
        height, width = input_size[0] // 2, input_size[1] // 2
        batch, channels = x.shape[0], x.shape[2]
        x = x.reshape(batch, height, 2, width, 2, channels)
        # channel by channel the four cells in row-major order, as torch.nn.Unfold leaves them
        x = x.permute(0, 1, 3, 5, 2, 4).reshape(batch, height * width, 4 * channels)
        if self.norm is not None:
            x = self.norm(x)
        return self.reduction(x), (height, width)
