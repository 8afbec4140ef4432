"""Names of output files: one for each image, never the same twice."""

from pathlib import Path
from urllib.parse import unquote, urlparse

PICTURES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp')


class OutputNames:
    """Gives every image of a run a file name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, path: str | None, index: int) -> str:
        """Name of an image's outputs.

        Args:
            path: File or address of the image; ``None`` for an array.
            index: Its position in the run.

        Returns:
            ``name.suffix`` with a suffix that pictures can be written in. A stem that was given
            before gets a number: files of two folders may have the same name.
        """
        if path is None:
            path = f'{index:08d}.jpg'
        elif '://' in path:
            path = unquote(urlparse(path).path)
        name = Path(Path(path).name or 'image')
        stem, number = name.stem, 1
        while stem in self._taken:
            stem, number = f'{name.stem}_{number}', number + 1
        self._taken.add(stem)
        return stem + (name.suffix if name.suffix.lower() in PICTURES else '.png')
