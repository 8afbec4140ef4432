"""Formats with an annotation for each image: images of a folder, and their boxes as a split."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from posixpath import basename, dirname, join, normpath, splitext
from typing import NamedTuple

from glip_mm.datasets.coco_file import Placed, content_of
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.image_size import image_size
from glip_mm.datasets.report import WITH_ITS_ROW, Report
from glip_mm.image_suffixes import is_image

from .base import Sniffed, SplitFiles, split_name

NOT_FOUND = 'image that is not in the folder, or there several times'
SECOND = 'second annotation of an image'
OUTLINE = 'box around an outline'
ROTATED = 'upright box around a rotated one'
#: Folders that hold images or annotations only, beside each other: ``images/a``, ``labels/a``.
PARALLEL = frozenset(('images', 'image', 'imgs', 'img', 'jpegimages', 'annotations', 'annotation',
                      'labels', 'label', 'xml', 'xmls', 'json', 'ann', 'anns'))
#: Most entries that a guess looks at, in all and in one folder.
LOOKED_AT, LOOKED_AT_EACH = 4000, 400

#: ``(x, y, width, height)`` in pixels, as numbers or as what a file has in their place.
Box = Sequence[object]


class Drawn(NamedTuple):
    """Annotated box; ``name`` is None for a class that is not listed."""

    where: str
    name: str | None
    box: Box | None
    ignored: bool = False


class Found(NamedTuple):
    """Image file; ``exact`` unless only the last parts of its path are as annotated."""

    name: str
    exact: bool


class Annotated(NamedTuple):
    """Annotated image, with the size that the annotations give, if any."""

    where: str
    image: Found | None
    boxes: Sequence[Drawn]
    width: object = None
    height: object = None


def head(path: str | Path, size: int = 1 << 16) -> bytes:
    """Return the beginning of a file; empty if it cannot be read."""
    try:
        if not os.path.isfile(path):
            return b''
        with open(path, 'rb') as file:
            return file.read(size)
    except OSError:
        return b''


def walk(folder: str | Path, depth: int = 32, most: int | None = None, each: int | None = None
         ) -> Iterator[str]:
    """Iterate over the files in and below a folder, those above first, as ``'sub/name'``.

    Hidden files and folders are left out, as are those that archives of macOS bring along.

    Args:
        folder: Folder; links to folders are followed once.
        depth: How far to go down.
        most: Most entries to look at.
        each: Most entries to look at in each folder.
    """
    level, seen, looked = [''], {os.path.realpath(folder)}, 0
    while level and depth > 0:
        below = []
        depth -= 1
        for sub in level:
            try:
                entries = os.scandir(os.path.join(folder, sub))
            except OSError:
                continue
            with entries:
                for entry in islice(entries, each):
                    looked += 1
                    if most is not None and looked > most:
                        return
                    if entry.name.startswith(('.', '__MACOSX')):
                        continue
                    name = f'{sub}/{entry.name}' if sub else entry.name
                    if entry.is_file():
                        yield name
                    elif entry.is_dir():
                        if entry.is_symlink():
                            real = os.path.realpath(entry.path)
                            if real in seen:
                                continue
                            seen.add(real)
                        below.append(name)
        level = sorted(below)


def peek(folder: str | Path, suffixes: tuple[str, ...], count: int = 20) -> list[Path]:
    """Return a few files with one of some suffixes (lower case), for a guess."""
    names = walk(folder, 5, LOOKED_AT, LOOKED_AT_EACH)
    return [Path(folder, name) for name in islice(
        (name for name in names if name.lower().endswith(suffixes)), count)]


def guess(confidence: float, path: Path, folder: Path, what: str) -> Sniffed:
    """Make a guess from a file that was found.

    Args:
        confidence: Confidence if the folder is the data set, and not one that holds data sets:
            if the file lies in it, or in a folder named after a split, or for its purpose.
        path: The file.
        folder: The folder.
        what: What there is about the file.
    """
    place = path.relative_to(folder)
    first = place.parts[0]
    own = len(place.parts) == 1 or first.lower() in PARALLEL or split_name(first) or (
        first.lower().startswith('voc'))
    return Sniffed(confidence if own else min(confidence, 0.4), f"'{place}' {what}")


def names_in(folder: Path, suffixes: tuple[str, ...], count: int = 100) -> list[str]:
    """Return the first files in a folder with one of some suffixes (lower case), sorted.

    Names alone are read, so that the one file among 100,000 images is found at once.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries
                           if entry.name.lower().endswith(suffixes)
                           and not entry.name.startswith('.'))
    except OSError:
        return []
    return names[:count]


def plain_path(name: str) -> str:
    r"""Return a path with ``/``, without a drive: ``'C:\\a\\b.jpg'`` is ``'/a/b.jpg'``."""
    name = name.strip().replace('\\', '/')
    return name[2:] if name[1:3] == ':/' else name


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many parts agree from the beginning."""
    return next((i for i, (a, b) in enumerate(zip(first, second)) if a != b),
                min(len(first), len(second)))


def _beside(first: str, second: str) -> bool:
    """Return whether folders are the same, or ``images/a`` and ``labels/a``."""
    parts = [dirname(path).split('/') for path in (first, second)]
    if len(parts[0]) != len(parts[1]):
        # xml/1.xml of images beside that folder, or the other way round
        longer, shorter = sorted(parts, key=len, reverse=True)
        shorter = [part for part in shorter if part]
        return any(part.lower() in PARALLEL and longer[:i] + longer[i + 1:] == shorter
                   for i, part in enumerate(longer))
    differ = [(a, b) for a, b in zip(*parts) if a != b]
    return not differ or len(differ) == 1 and any(p.lower() in PARALLEL for p in differ[0])


class Images:
    """Images in and below a folder, found by the names that annotations give.

    Names never lead out of the folder: an absolute one, or one with ``..``, stands for the file
    of the folder whose path ends like it.

    Args:
        folder: Folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._sizes: dict[str, tuple[int, int] | None] = {}
        self._index: tuple[set[str], dict[str, list[str]], dict[str, list[str]]] | None = None

    def _files(self) -> tuple[set[str], dict[str, list[str]], dict[str, list[str]]]:
        if self._index is None:
            names: dict[str, list[str]] = {}
            stems: dict[str, list[str]] = {}
            paths = {path for path in walk(self.folder) if is_image(path)}
            for path in paths:
                name = basename(path)
                names.setdefault(name, []).append(path)
                stems.setdefault(splitext(name)[0], []).append(path)
            self._index = paths, names, stems
        return self._index

    def all(self) -> list[str]:
        """Return all images, sorted."""
        return sorted(self._files()[0])

    def find(self, name: str, near: str) -> Found | None:
        """Find the image of a name, also with another suffix.

        Args:
            name: Path of the image as annotated.
            near: Path of the annotation below the folder.
        """
        paths, names, stems = self._files()
        name = plain_path(name)
        for folder in (dirname(near), ''):
            path = normpath(join(folder, name))
            if name and path in paths:
                return Found(path, True)
        base = basename(name)
        return (self._closest(names.get(base, []), name, near)
                or self._closest(stems.get(splitext(base)[0], []), name, near))

    def beside(self, near: str, name: str = '') -> Found | None:
        """Find the image that is called like its annotation, else that of a name.

        Args:
            near: Path of the annotation below the folder.
            name: Path of the image as annotated: decides between ``1.jpg`` and ``1.png``.
        """
        same = self._files()[2].get(splitext(basename(near))[0], [])
        wanted = plain_path(name).split('/')[::-1]
        agree = {path: _common(path.split('/')[::-1], wanted) for path in same}
        most = max(agree.values(), default=0)
        named = [path for path in same if agree[path]] or same
        for close in ([path for path in named if dirname(path) == dirname(near)],
                      [path for path in named if agree[path] == most > 1],
                      [path for path in named if _beside(path, near)]):
            if len(close) == 1:
                return Found(close[0], True)
        found = self.find(name, near) if name else None
        return found or self._closest(named, name, near)

    @staticmethod
    def _closest(paths: Sequence[str], name: str, near: str) -> Found | None:
        """Return the one that shares most of its path with the name, then with the annotation."""
        wanted, around = name.split('/')[::-1], dirname(near).split('/')

        def likeness(path: str) -> tuple[int, int, int]:
            folders = dirname(path).split('/')
            return (_common(path.split('/')[::-1], wanted), int(_beside(path, near)),
                    _common(folders, around) + _common(folders[::-1], around[::-1]))

        ranked = sorted(paths, key=likeness, reverse=True)
        if not ranked or len(ranked) > 1 and likeness(ranked[0]) == likeness(ranked[1]):
            return None
        return Found(ranked[0], False)

    def size(self, name: str) -> tuple[int, int] | None:
        """Return width and height of an image of the folder; None if it cannot be read."""
        if name not in self._sizes:
            self._sizes[name] = image_size(self.folder / name)
        return self._sizes[name]


def rows_of(items: Iterable[Annotated], classes: Sequence[str], report: Report
            ) -> Iterator[Placed]:
    """Turn annotated images into rows in the form of COCO.

    An image that is found by the end of its path only is another's if that one says so exactly:
    ``cam1/7.jpg`` that is missing is not ``cam2/7.jpg``.

    Args:
        items: Annotated images.
        classes: Class names; their ids are 1, 2, ...
        report: Report that counts images that are not there.

    Raises:
        DataError: If there is no class, or none of the images.
    """
    ids = {name: number for number, name in enumerate(classes, 1)}
    items = list(items)
    if not ids:
        raise DataError(f"'{report.source}' names no class: no box has a label{_causes(report)}")
    for name, number in ids.items():
        yield 'categories', f'class {name!r}', dict(id=number, name=name)
    exact = {item.image.name for item in items if item.image and item.image.exact}
    guessed = Counter(item.image.name for item in items if item.image and not item.image.exact)
    seen: set[str] = set()
    for number, item in enumerate(items, 1):
        found, cause = item.image, NOT_FOUND
        if found and not found.exact and (found.name in exact or guessed[found.name] > 1):
            found = None
        if found and found.name in seen:
            found, cause = None, SECOND
        if found is None:
            report.rows_read += 1
            report.boxes_read += len(item.boxes)
            report.drop(cause, item.where)
            report.drop(WITH_ITS_ROW, item.where, len(item.boxes))
            continue
        seen.add(found.name)
        yield 'images', item.where, dict(id=number, file_name=found.name, width=item.width,
                                         height=item.height)
        for where, label, box, ignored in item.boxes:
            yield 'annotations', where, dict(image_id=number, category_id=ids.get(label or ''),
                                             bbox=box, iscrowd=int(ignored))
    if not seen:
        raise DataError(f"'{report.source}' has no image that can be used; images must be in or "
                        f'below it, under the names that its annotations give{_causes(report)}')


def _causes(report: Report) -> str:
    return ''.join(f'\n  {line}' for line in report.lines())


def split_files(name: str, source: Path, images: Images,
                items: Callable[[Report], Iterable[Annotated]],
                classes: Callable[[], Sequence[str]]) -> SplitFiles:
    """Make a split from annotated images.

    Args:
        name: See :class:`SplitFiles`.
        source: See :class:`SplitFiles`.
        images: Images of the folder.
        items: Function from a report, which counts what cannot be read, to annotated images.
        classes: Function that returns the class names, the same for all splits of a folder.
    """
    def read() -> tuple[dict, Report]:
        report = Report(str(source))
        rows = rows_of(items(report), classes(), report)
        return content_of(rows, source, images.size, report)

    return SplitFiles(name, source, images.folder, read)


def by_split(paths: Iterable[str]) -> dict[str, list[str]]:
    """Group files by the split that a folder in their path is named after.

    Returns:
        Split -> paths. Not divided: ``''``; what is outside the splits of others: ``'other'``.
    """
    splits: dict[str, list[str]] = {}
    for path in paths:
        named = [split for part in dirname(path).split('/') if (split := split_name(part))]
        splits.setdefault(named[-1] if named else '', []).append(path)
    if len(splits) > 1 and '' in splits:
        splits['other'] = splits.pop('')
    return in_order(splits)


def in_order(splits: dict) -> dict:
    """Sort splits: train, val and test first."""
    first = ('train', 'val', 'test')
    return dict(sorted(splits.items(), key=lambda item: (
        first.index(item[0]) if item[0] in first else len(first), item[0])))


def turned(x: float, y: float, width: float, height: float, degrees: float,
           centre: tuple[float, float]) -> Box | None:
    """Return the box around a box that is turned clockwise around a point."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    cx, cy = centre
    return hull((cx + (px - cx) * cos - (py - cy) * sin, cy + (px - cx) * sin + (py - cy) * cos)
                for px in (x, x + width) for py in (y, y + height))


def hull(points: Iterable[tuple[float, float]]) -> Box | None:
    """Return the box around points; None if there are none."""
    points = list(points)
    if not points:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return tuple(round(value, 6) for value in (min(xs), min(ys), max(xs) - min(xs),
                                               max(ys) - min(ys)))
