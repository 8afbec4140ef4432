"""Order of the four pixels that a Swin patch merging joins."""

from torch import Tensor

# the official code joins pixels by (row, column) parity as (0,0), (1,0), (0,1), (1,1) and keeps
# each pixel's channels together; MMDetection unfolds channel by channel with (0,0), (0,1), (1,0),
# (1,1). Loading one as the other runs without an error and ruins every stage after the first.
_ORDER = [0, 2, 1, 3]


def to_unfold_order(value: Tensor) -> Tensor:
    """Reorder the last dimension from the official order to MMDetection's.

    Args:
        value: Reduction weight ``[2C, 4C]`` or normalisation weight or bias ``[4C]``.

    Returns:
        Tensor of the same shape.
    """
    pixels = value.unflatten(-1, (4, -1))[..., _ORDER, :]  # [..., 4, C]
    return pixels.transpose(-1, -2).flatten(-2).contiguous()


def to_pixel_order(value: Tensor) -> Tensor:
    """Invert :func:`to_unfold_order`.

    Args:
        value: Reduction weight ``[2C, 4C]`` or normalisation weight or bias ``[4C]``.

    Returns:
        Tensor of the same shape.
    """
    pixels = value.unflatten(-1, (-1, 4)).transpose(-1, -2)  # [..., 4, C]
    return pixels[..., _ORDER, :].flatten(-2).contiguous()
