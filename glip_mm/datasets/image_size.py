"""Size of an image as it is loaded, from its header."""

from os import PathLike
from pathlib import Path

from glip_mm.image_decoding import open_image, orientation, stored_size

from .data_paths import below

#: EXIF orientations that exchange width and height.
_TURNED = (5, 6, 7, 8)


def image_size(source: bytes | str | PathLike) -> tuple[int, int] | None:
    """Return width and height of an image when its EXIF orientation is applied.

    Args:
        source: Encoded image, or its path.

    Returns:
        The size; None if it cannot be read.
    """
    try:
        with open_image(source) as image:
            width, height = stored_size(image)
            return (height, width) if orientation(image) in _TURNED else (width, height)
    except Exception:  # Pillow raises errors of many types for damaged files
        return None


def size_below(folder: str | Path, name: str) -> tuple[int, int] | None:
    """Return the size of an image that data name below a folder; None also if it leads out."""
    try:
        return image_size(below(folder, name))
    except ValueError:
        return None
