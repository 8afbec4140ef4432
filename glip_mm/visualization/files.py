"""Save pictures."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from glip_mm.atomic_files import write_atomically

#: Suffix of the file -> how Pillow is told to write it.
_FORMATS = {'.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG', '.webp': 'WEBP', '.bmp': 'BMP'}


def save_image(path: str | Path, image: np.ndarray) -> Path:
    """Save a picture.

    Args:
        path: File; its suffix sets the format (jpg, png, webp, bmp), anything else is PNG.
        image: ``[height, width, 3]`` uint8 RGB.

    Returns:
        ``path``.
    """
    buffer = io.BytesIO()
    file_format = _FORMATS.get(Path(path).suffix.lower(), 'PNG')
    options = dict(quality=92, subsampling=0) if file_format == 'JPEG' else {}
    Image.fromarray(image).save(buffer, format=file_format, **options)
    return write_atomically(path, buffer.getvalue())
