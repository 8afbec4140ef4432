"""Clipping and filtering of boxes: the published rule in half-open pixels.

The published code clips inclusive boxes to ``[0, W - 1]`` and keeps those with ``x2 > x1`` and
``y2 > y1``. With half-open boxes (``x2 = x + w``) that is: clip to ``[0, W]``, keep what is more
than one pixel wide and high. MMDetection's reader keeps every such box too.
"""

from collections.abc import Sequence

from .report import Report

#: Pixels; no image is as large, and integers of any length come out of JSON.
LARGEST = 1e9
MALFORMED = 'box that is not four finite numbers'
NOT_POSITIVE = 'box of no width or height'
OUTSIDE = 'box outside the image'
THIN = 'box one pixel thin or less'
CLIPPED = 'box clipped to the image'


def four_numbers(box: object) -> tuple[float, float, float, float] | None:
    """Convert a box to floats; None unless it holds exactly four finite numbers."""
    if not isinstance(box, Sequence) or isinstance(box, str) or len(box) != 4:
        return None
    for value in box:
        if type(value) not in (int, float) or not -LARGEST < value < LARGEST:
            return None
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def xyxy(box: Sequence[float]) -> list[float]:
    """Convert a box from corner and size to corners.

    Raises:
        ValueError: If it is anything else.
    """
    numbers = four_numbers(box)
    if numbers is None:
        raise ValueError(f'bbox is {box!r}, not four finite numbers')
    x, y, w, h = numbers
    return [x, y, x + w, y + h]


def fit_box(x1: float, y1: float, x2: float, y2: float, width: int, height: int, report: Report,
            where: str) -> list[float] | None:
    """Clip a half-open box to its image.

    Args:
        x1: Left edge in pixels.
        y1: Upper edge in pixels.
        x2: Right edge in pixels, exclusive.
        y2: Lower edge in pixels, exclusive.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        report: Report that counts clipped and dropped boxes.
        where: Place in the source, for the report.

    Returns:
        ``[x1, y1, x2, y2]``; None if the box is dropped.
    """
    if not (x2 > x1 and y2 > y1):
        report.drop(NOT_POSITIVE, where)
        return None
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
            report.drop(OUTSIDE, where)
            return None
        x1, y1 = max(x1, 0.), max(y1, 0.)
        x2, y2 = min(x2, float(width)), min(y2, float(height))
        report.change(CLIPPED, where)
    # rounding removes the float error of x + w; from 8 pixels on it is finer than float32
    x1, y1, x2, y2 = round(x1, 6), round(y1, 6), round(x2, 6), round(y2, 6)
    if x2 - x1 <= 1 or y2 - y1 <= 1:
        report.drop(THIN, where)
        return None
    return [x1, y1, x2, y2]
