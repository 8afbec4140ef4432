"""Load a scalable font that is always there."""

from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import ImageFont


@lru_cache(maxsize=64)
def load_font(size: int, path: str | None = None, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load a font.

    Args:
        size: Height in pixels.
        path: A ``.ttf`` or ``.otf`` file, for scripts that DejaVu Sans lacks (Chinese, ...).
            Default: the DejaVu Sans that Matplotlib carries, which every MMEngine has.
        bold: Whether to load the bold face; ignored with ``path``.

    Raises:
        FileNotFoundError: If ``path`` is no font file.
    """
    if path is None:
        name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
        path = str(Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / name)
    try:
        return ImageFont.truetype(path, size)
    except OSError as error:
        raise FileNotFoundError(f"the font '{path}' can not be read ({error}); give the path of a "
                                '.ttf or .otf file as font') from error
