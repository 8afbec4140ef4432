"""Image files, in one place: their suffixes, and those of a folder."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

#: What Pillow reads and people have; lower case, the most frequent first.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff', '.gif', '.jfif',
                  '.jpe', '.ppm', '.pgm', '.pbm', '.pnm', '.avif', '.jp2', '.dib', '.mpo', '.apng',
                  '.tga')

#: Suffixes of videos, which are no images.
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv', '.flv')


def is_image(name: str) -> bool:
    """Return whether a file has the suffix of an image.

    Files such as ``._a.jpg`` are none: macOS keeps what it knows of ``a.jpg`` in them.
    """
    return (os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
            and not os.path.basename(name).startswith('._'))


class FolderImages:
    """Images of a folder, in order of name, and a count of what else lies there.

    Args:
        folder: The folder.
        recursive: Whether its subfolders are searched, too.
        companions: Suffixes of files that belong to the images and are not counted.

    Attributes:
        files: Paths of the images.
        left_out: Suffix, or kind, -> number of entries that are no image.
    """

    def __init__(self, folder: str | Path, recursive: bool = False,
                 companions: tuple[str, ...] = ()) -> None:
        self.folder = str(folder)
        self.files: list[Path] = []
        self.left_out: Counter[str] = Counter()
        for entry in _entries(self.folder, recursive):
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith('._'):
                self.left_out['of macOS (._*)'] += 1
            elif is_image(entry.name):
                # a pipe would be waited for, and a folder or broken link is no image
                if entry.is_file():
                    self.files.append(Path(entry.path))
                else:
                    self.left_out[f'{suffix} that is no regular file'] += 1
            elif suffix not in companions and not entry.is_dir():
                self.left_out[suffix or 'without a suffix'] += 1
        self.files.sort()

    def summary(self) -> str:
        """Describe in one line what was left out; empty if nothing was."""
        if not self.left_out:
            return ''
        counts = ', '.join(f'{n} {suffix}' for suffix, n in self.left_out.most_common(10))
        return (f"'{self.folder}': {len(self.files)} images; left out as no images: {counts}"
                + (', ...' if len(self.left_out) > 10 else ''))


def _entries(folder: str, recursive: bool) -> Iterator[os.DirEntry]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if recursive and entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path, True)
