"""Formats with a file of annotations for each split: finding such files, and their images."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from .base import ALIASES, split_name

#: Folders that are looked through for images.
FOLDERS = 400
#: Files whose beginnings a guess reads.
GUESSED = 64
#: Folders, relative to the root, that annotations usually lie in.
PLACES = ('', 'annotations', 'Annotations', 'labels', 'mdetr_annotations')


def files_in(folder: Path, *endings: str, most: int | None = None) -> list[Path]:
    """List the files of a folder, and of its usual folders of annotations, by their endings.

    Args:
        folder: The folder; a file given in its place is listed itself.
        endings: Endings of names, lower case.
        most: Maximum number of files, for guesses: some formats have a file for each image.
    """
    if folder.is_file():
        return [folder] if folder.name.lower().endswith(endings) else []
    found: dict[Path, Path] = {}
    for place in PLACES:
        if (folder / place).is_dir():
            for name in sorted(name for name in os.listdir(folder / place)
                               if name.lower().endswith(endings))[:most]:
                path = folder / place / name
                if path.is_file():
                    found.setdefault(path.resolve(), path)
    return list(found.values())


def confidence(found: Sequence[Path], folder: Path) -> float:
    """Return how certain it is that JSON files are what a folder is about.

    Files of LVIS and of MDETR often lie beside those of COCO, whose images they share.
    """
    others = len(files_in(folder, '.json', '.json.gz', most=GUESSED)) - len(found)
    return .6 if others > 0 else 1


def root_of(folder: Path) -> Path:
    """Return the root of a data set of which a folder or an annotation file is given."""
    folder = folder.parent if folder.is_file() else folder
    return folder.parent if folder.name in PLACES else folder


def split_in(name: str) -> str:
    """Return the split that a part of a file name stands for, or ``''``.

    Example:
        >>> [split_in(n) for n in ('o365v1_train_odvg.jsonl', 'lvis_v1_val.json', 'a.json')]
        ['train', 'val', '']
    """
    words = re.split(r'[^A-Za-z0-9]+', name)
    pairs = [f'{a}_{b}' for a, b in zip(words, words[1:])]
    return next(filter(None, map(split_name, reversed([*words, *pairs]))), '')


def by_split(paths: Sequence[Path]) -> dict[str, Path]:
    """Name files after their splits; files of the same split keep their own names."""
    names = [split_in(path.name) for path in paths]
    for own in (lambda path: path.name.partition('.')[0],
                lambda path: f'{path.parent.name}/{path.name}'):
        names = [name if names.count(name) == 1 else own(path)
                 for name, path in zip(names, paths)]
    return dict(zip(names, paths))


def folders_below(root: Path, depth: int = 2) -> Iterator[Path]:
    """Iterate over a folder and those below it, the nearest first."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [path for folder in level for path in _folders_in(folder)]


def _folders_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries
                      if entry.is_dir() and not entry.name.startswith('.'))


def image_folder(root: Path, names: Iterable[str], split: str = '') -> Path:
    """Find the folder that file names start from.

    Args:
        root: Folder of the data set.
        names: Some file names of images, or of folders in it.
        split: Split whose images are looked for; of several folders, one of that name wins.

    Returns:
        The folder; if none has a file of these names: that of the split, ``images``, or the root.
    """
    names = list(names)
    folders = list(islice(folders_below(root), FOLDERS))
    # stable: among equals, the nearest
    folders.sort(key=lambda path: (
        bool(split) and split not in [split_name(p) for p in path.relative_to(root).parts],
        path.name != 'images'))
    found = next((path for path in folders if any((path / name).exists() for name in names)), None)
    names_of_split = ALIASES.get(split, (split,))
    usual = [*(root / 'images' / name for name in names_of_split),
             *(root / name for name in names_of_split), root / 'images']
    return found or next((path for path in usual if path.is_dir()), root)
