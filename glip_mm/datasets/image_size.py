"""Size of an image as it is loaded, from its header."""

from os import PathLike

from glip_mm.image_decoding import open_image, orientation, stored_size

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
