"""Unique names of output files, one for each image."""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

PICTURES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp')


class OutputNames:
    """Assign a unique output file name to every image of a run."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, path: str | None, index: int) -> str:
        """Return the output name of an image.

        Args:
            path: File or address of the image; ``None`` for an array.
            index: Index of the image in the run.

        Returns:
            ``name.suffix`` with a suffix of a writable image format. A repeated stem gets a number
            appended: files of two folders may have the same name.
        """
        if path is None:
            path = f'{index:08d}.jpg'
        elif '://' in path:
            path = unquote(urlparse(path).path)
        name = Path(Path(path).name or 'image')
        suffix = name.suffix if name.suffix.lower() in PICTURES else '.png'
        # a name has up to 255 bytes; the rest is for a number and a longer suffix
        first = os.fsdecode(os.fsencode(name.stem)[:240])
        stem, number = first, 1
        while stem in self._taken:
            stem, number = f'{first}_{number}', number + 1
        self._taken.add(stem)
        return stem + suffix
