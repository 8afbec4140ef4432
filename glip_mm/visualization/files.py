"""Files that are complete or absent, never half written."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

#: Suffix of the file -> how Pillow is told to write it.
_FORMATS = {'.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG', '.webp': 'WEBP', '.bmp': 'BMP'}


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write a file through a temporary neighbour, so that a reader never sees half of it.

    Args:
        path: The file; its folder is made if missing.
        content: The bytes.

    Returns:
        ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name[:200]}.{os.getpid()}.tmp')
    try:
        with open(temporary, 'wb') as file:
            file.write(content)
            file.flush()
            # without it a crash of the machine can leave the new name on an empty file
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def save_image(path: str | Path, image: np.ndarray) -> Path:
    """Save a picture.

    Args:
        path: The file; its suffix sets the format (jpg, png, webp, bmp), anything else is PNG.
        image: ``[height, width, 3]`` uint8 RGB.

    Returns:
        ``path``.
    """
    buffer = io.BytesIO()
    file_format = _FORMATS.get(Path(path).suffix.lower(), 'PNG')
    options = dict(quality=92, subsampling=0) if file_format == 'JPEG' else {}
    Image.fromarray(image).save(buffer, format=file_format, **options)
    return write_atomically(path, buffer.getvalue())
