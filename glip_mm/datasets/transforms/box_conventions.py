"""Boxes of the published training in half-open coordinates.

The published code counts a box's last pixel in: its right edge ``x2`` is the last pixel inside,
and so it scales, flips and clips that pixel. Our boxes are MMDetection's, half open: ``x2`` is one
past the last pixel; the model takes the 1 off again. These functions do to half-open boxes what
makes the model's boxes exactly the published ones:

* scaling: the *last pixel* is scaled, so a box that is doubled becomes a pixel narrower than with
  MMDetection's rule (which scales the edge), and one that is halved half a pixel wider;
* flipping: the same as MMDetection's;
* clipping: the last pixel is kept inside the image, before resizing. After resizing nothing is
  clipped: the edge of a box that fills a shrunk image may lie up to a pixel outside.

Boxes are xyxy ``[K, 4]``, NumPy arrays or tensors. ``W``, ``H`` is an image's width and height.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def _row(boxes: Any, values: Sequence[float]) -> Any:
    """Return four numbers as an array or tensor like the boxes."""
    if hasattr(boxes, 'new_tensor'):
        return boxes.new_tensor(values)
    return np.asarray(values, dtype=boxes.dtype)


def to_inclusive(boxes: Any) -> Any:
    """Convert half-open xyxy to the published inclusive xyxy."""
    return boxes - _row(boxes, (0, 0, 1, 1))


def to_half_open(boxes: Any) -> Any:
    """Convert inclusive xyxy to half-open xyxy."""
    return boxes + _row(boxes, (0, 0, 1, 1))


def rescale_boxes(boxes: Any, scale_factor: tuple[float, float]) -> Any:
    """Rescale boxes for a resized image.

    Args:
        boxes: ``[K, 4]`` half-open xyxy.
        scale_factor: New width over old width, new height over old height.

    Returns:
        ``[K, 4]`` half-open xyxy.

    Example:
        >>> rescale_boxes(np.array([[10., 20., 40., 60.]]), (2, 2)).tolist()
        [[20.0, 40.0, 79.0, 119.0]]
    """
    return to_half_open(to_inclusive(boxes) * _row(boxes, (*scale_factor, *scale_factor)))


def flip_boxes(boxes: Any, width: float) -> Any:
    """Flip half-open xyxy boxes horizontally, in the same way as MMDetection."""
    mirrored = to_inclusive(boxes)[:, [2, 1, 0, 3]] * _row(boxes, (-1, 1, -1, 1))
    return to_half_open(mirrored + _row(boxes, (width - 1, 0, width - 1, 0)))


def clip_boxes(boxes: Any, size: tuple[int, int]) -> tuple[Any, Any]:
    """Clip boxes to an image, and tell which of them are still non-empty.

    Args:
        boxes: ``[K, 4]`` half-open xyxy.
        size: ``(H, W)``.

    Returns:
        ``[K, 4]`` half-open xyxy, and ``[K]`` bool: wider and higher than one pixel.
    """
    height, width = size
    limit = _row(boxes, (width - 1, height - 1, width - 1, height - 1))
    inside = to_inclusive(boxes).clip(0 * limit, limit)
    return to_half_open(inside), ((inside[:, 2:] - inside[:, :2]) > 0).all(1)
