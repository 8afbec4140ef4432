"""Looking at folders without reading them: beginnings of files, names of splits, image folders."""

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from .base import split_name

#: Bytes that a guess reads of a file.
PIECE = 1 << 16
#: Folders that are looked through for images.
FOLDERS = 400
#: Folders, relative to the root, that annotations usually lie in.
PLACES = ('', 'annotations', 'Annotations', 'labels')


def ends(path: Path) -> str:
    """Return the beginning and the end of a text file, the beginning alone if it is compressed."""
    try:
        with open(path, 'rb') as file:
            start = file.read(PIECE)
            if start[:2] == b'\x1f\x8b':
                with gzip.open(path, 'rb') as unzipped:
                    return unzipped.read(PIECE).decode('utf-8-sig', 'replace')
            size = path.stat().st_size
            file.seek(max(len(start), size - PIECE))
            return (start.decode('utf-8-sig', 'replace') + '\n'
                    + file.read().decode('utf-8', 'replace'))
    except (OSError, EOFError):
        return ''


def files_in(folder: Path, *endings: str) -> list[Path]:
    """List the files of a folder, and of its usual folders of annotations, by their endings.

    A file given in place of a folder is listed itself.
    """
    if folder.is_file():
        return [folder] if folder.name.lower().endswith(endings) else []
    found: dict[Path, Path] = {}
    for place in PLACES:
        for path in sorted((folder / place).glob('*')):
            if path.name.lower().endswith(endings) and path.is_file():
                found.setdefault(path.resolve(), path)
    return list(found.values())


def root_of(folder: Path) -> Path:
    """Return the root of a data set of which a folder or an annotation file is given."""
    if folder.is_file():
        folder = folder.parent
        return folder.parent if folder.name.lower() in PLACES else folder
    return folder


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
    splits = [split_in(path.name) for path in paths]
    return {split if splits.count(split) == 1 and (split or len(paths) == 1)
            else path.name.partition('.')[0]: path for split, path in zip(splits, paths)}


def folders_below(root: Path, depth: int = 2) -> Iterator[Path]:
    """Iterate over a folder and those below it, the nearest first."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [path for folder in level if folder.is_dir()
                 for path in sorted(folder.iterdir()) if path.is_dir()]


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
    if split:
        folders.sort(key=lambda path: split not in [
            split_name(part) for part in path.relative_to(root).parts])
    found = next((path for path in folders if any((path / name).exists() for name in names)), None)
    usual = [root / 'images' / split, root / split, root / 'images']
    return found or next((path for path in usual if path.is_dir()), root)
