"""Arrange several pictures on one sheet."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from .palette import Color


def make_sheet(images: Sequence[np.ndarray],
               columns: int = 3,
               cell_width: int = 480,
               gap: int = 16,
               background: Color = (228, 228, 231)) -> np.ndarray:
    """Arrange pictures in rows.

    Args:
        images: ``[height, width, 3]`` uint8 RGB arrays of any size.
        columns: Number of pictures in a row.
        cell_width: Width of every picture; a row is as high as its highest.
        gap: Space in pixels between pictures and around them.
        background: RGB of the sheet.

    Returns:
        ``[height, width, 3]`` uint8 RGB.

    Raises:
        ValueError: If there is no picture, or ``columns`` or ``cell_width`` is not positive.
    """
    if not len(images):
        raise ValueError('make_sheet() needs at least one image, got none')
    if columns < 1 or cell_width < 1:
        raise ValueError(f'columns={columns} and cell_width={cell_width} must be at least 1')
    cells = [_fit(image, cell_width) for image in images]
    rows = [cells[start:start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    columns = min(columns, len(cells))
    size = (columns * (cell_width + gap) + gap, sum(heights) + gap * (len(rows) + 1))
    sheet = Image.new('RGB', size, background)
    y = gap
    for row, height in zip(rows, heights):
        for column, cell in enumerate(row):
            sheet.paste(cell, (gap + column * (cell_width + gap), y))
        y += height + gap
    return np.array(sheet)


def _fit(image: np.ndarray, width: int) -> Image.Image:
    cell = Image.fromarray(np.ascontiguousarray(image))
    height = max(1, round(cell.height * width / cell.width))
    if cell.width == width:
        return cell
    return cell.resize((width, height), Image.Resampling.LANCZOS)
