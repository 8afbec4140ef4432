"""Size of an image as it is loaded, from its header."""

import os
import stat
from pathlib import Path

from PIL import Image

#: EXIF tag of the orientation, and its values that exchange width and height.
_ORIENTATION, _TURNED = 0x112, (5, 6, 7, 8)


def size_as_loaded(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an opened image when its EXIF orientation is applied."""
    turned = image.getexif().get(_ORIENTATION) in _TURNED
    return image.size[::-1] if turned else image.size


def image_size(path: str | Path) -> tuple[int, int] | None:
    """Return width and height of an image file, see :func:`size_as_loaded`.

    Only the header is read. None if it cannot be.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would block
            return None
        with Image.open(path) as image:
            return size_as_loaded(image)
    except Exception:  # Pillow raises errors of many types for damaged files
        return None
