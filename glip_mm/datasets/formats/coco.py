"""COCO JSON in the layouts that tools write.

Read by :mod:`glip_mm.datasets.coco_file`, not by a library: ``supervision`` and ``datumaro`` look
for one fixed layout each, stop at what :func:`~glip_mm.datasets.coco_file.plain_rows` corrects, and
do not count what they leave out.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath

from glip_mm.datasets.coco_file import collect, iterate_coco
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.image_size import size_below
from glip_mm.datasets.report import Report
from glip_mm.image_suffixes import is_image
from glip_mm.text.safe_json import load_json

from .base import ALIASES, Sniffed, SplitFiles, split_name
from .base import Format as _Format

#: Paths of annotation files relative to a data set's folder, best first; {} is the split.
PATTERNS = (
    '{}/annotations_without_background.json', '{}_annotations_without_background.json',
    '{}/_annotations.coco.json', '{}.json', '{}/annotations.json', 'annotations/{}.json',
    'annotations/instances_{}.json', '{}_annotations.json', '{}/{}.json', '{}/labels.json',
    'annotations/{}_annotations.json', 'annotations/labels_{}.json', 'instances_{}.json',
    '{}/annotations/instances_default.json')
#: Paths of the only annotation file of a folder without splits, best first.
UNDIVIDED = ('_annotations.coco.json', 'annotations.json', 'annotations/annotations.json',
             'annotations/instances_default.json', 'result.json', 'labels.json')
#: Files of other tasks and subsets, which lie beside those of detection.
OTHERS = re.compile(r'(captions|panoptic|image_info|fewshot|dataset_info)')
#: Files whose boxes are a data set if there are no others.
SECOND_CHOICE = re.compile(r'(person_keypoints|stuff)')
#: Folders that images lie in, beside or below their annotations.
IMAGE_FOLDERS = ('', 'images', 'data', 'img', 'imgs', 'JPEGImages')
#: Bytes at both ends of a file that are looked at, and names of images that are looked up.
PEEKED, TRIED = 1 << 16, 20
#: Most entries of a folder tree that are looked at, and JSON files of a folder.
LOOKED_AT, MANY = 50_000, 100


def is_coco_file(path: Path, needed: Sequence[str] = ('images', 'annotations', 'categories')
                 ) -> bool:
    """Return whether a file looks like COCO detection annotations; reads its ends alone.

    Args:
        path: Path of the file.
        needed: Lists that must be in a file that is read as a whole.
    """
    if not path.name.lower().endswith(('.json', '.json.gz')) or not path.is_file():
        return False
    if path.name.lower().endswith('.gz'):
        return not OTHERS.match(path.name)
    with open(path, 'rb') as file:
        content = file.read(PEEKED)
        file.seek(max(PEEKED, path.stat().st_size - PEEKED))
        content += file.read(PEEKED)
    if content[:2] in (b'\xff\xfe', b'\xfe\xff'):  # UTF-16
        content = content[2:].replace(b'\0', b'')
    whole = path.stat().st_size <= 2 * PEEKED
    keys = [key for key in needed if re.search(rb'"%s"\s*:' % key.encode(), content)]
    return content.lstrip(b'\xef\xbb\xbf \r\n\t')[:1] == b'{' and len(keys) >= (
        len(needed) if whole else 1)


def is_broken(path: Path) -> bool:
    """Return whether a file that must be it is none: reading it says what is wrong."""
    if path.name.startswith(('_annotations.coco', 'instances_')):
        return True
    if path.stat().st_size > 2 * PEEKED or path.suffix.lower() == '.gz':
        return False
    content = path.read_bytes()
    if _is_json(content):
        return False
    # JSON lines are of other formats
    return not _is_json(content.strip().partition(b'\n')[0])


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(load_json(content), dict)
    except ValueError:
        return False


class _Tree:
    """Folders and JSON files, each folder listed once: it may hold a million images."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[list[str], list[str]]] = {}

    def list(self, folder: Path) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the JSON files in a folder, sorted."""
        if folder not in self._known:
            folders, files = [], []
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.lower().endswith(('.json', '.json.gz')):
                        files.append(entry.name)
                    elif entry.is_dir():
                        folders.append(entry.name)
            self._known[folder] = sorted(folders), sorted(files)
        return self._known[folder]

    def find(self, folder: Path, pattern: str) -> Iterator[Path]:
        """Iterate over the files of a pattern, plain or compressed, in any case of letters."""
        *parents, last = pattern.lower().split('/')
        places = [folder]
        for part in parents:
            places = [place / name for place in places for name in self.list(place)[0]
                      if name.lower() == part]
        for place in places:
            for name in self.list(place)[1]:
                if name.lower() in (last, f'{last}.gz') and (place / name).is_file():
                    yield place / name

    def files(self, folder: Path, depth: int) -> Iterator[Path]:
        """Iterate over the JSON files of a folder and those below it."""
        folders, files = self.list(folder)
        if len(files) <= MANY:  # more are those of single images
            yield from (folder / name for name in files if (folder / name).is_file())
        for name in folders if depth > 1 else ():
            if not name.startswith('.'):
                yield from self.files(folder / name, depth - 1)


def annotation_files(folder: Path) -> dict[str, Path]:
    """Return split -> annotation file, ``''`` for a folder that is not divided.

    Raises:
        DataError: If several files could be that of a split.
    """
    found: dict[str, Path] = {}
    tree = _Tree()
    for split, names in ALIASES.items():
        candidates = (path for pattern in PATTERNS for name in names
                      for path in tree.find(folder, pattern.format(name, name)))
        # a file of that name without annotations is a split without boxes, and not none
        path = next((p for p in candidates if is_coco_file(p, ('images', 'categories'))
                     or is_broken(p)), None)
        if path is not None:
            found[split] = path
    if not found:
        candidates = (path for name in UNDIVIDED for path in tree.find(folder, name))
        path = next(filter(is_coco_file, candidates), None)
        found = {'': path} if path is not None else {}
    return found


def other_files(folder: Path) -> dict[str, Path]:
    """Return split -> annotation file for files of unusual names: the only ones that can be it.

    Raises:
        DataError: If several files could be that of a split.
    """
    found: dict[str, list[Path]] = {}
    paths = [p for p in _Tree().files(folder, 3) if not OTHERS.match(p.name) and is_coco_file(p)]
    for path in [p for p in paths if not SECOND_CHOICE.match(p.name)] or paths:
        words = [*path.relative_to(folder).parts[:-1], *re.split(r'[_\-. ]', path.name)]
        split = next(filter(None, map(split_name, reversed(words))), '')
        found.setdefault(split, []).append(path)
    for split, paths in found.items():
        if len(paths) > 1:
            raise DataError(
                f"'{folder}' holds several COCO files{f' of split {split}' * bool(split)}: "
                f'{", ".join(str(p.relative_to(folder)) for p in paths[:5])}: give the path of '
                'one of them, or name them train.json, val.json and test.json')
    if '' in found and len(found) > 1:
        del found['']
    return {split: paths[0] for split, paths in found.items()}


def image_names(path: Path, count: int = TRIED) -> list[str]:
    """Return the names of the first images of a file."""
    report, names = Report(str(path)), []
    for _, _, row in iterate_coco(path, report, ['images'], progress=False,
                                  sizes=lambda name: (1, 1)):
        names.append(row['file_name'] or '')
        if len(names) == count:
            break
    return names


def find_images(names: Sequence[str], folder: Path, ann_file: Path, split: str
                ) -> tuple[Path, Callable[[str], str]] | None:
    """Find the folder of images, and what their names have to become to be found there.

    Args:
        names: Names of some images in the annotation file.
        folder: Folder of the data set.
        ann_file: Annotation file.
        split: Name of the split, ``''`` if there is none.

    Returns:
        Folder and function from a name in the file to one below that folder; None if no image is
        found.
    """
    places = list(_places(folder, ann_file, split))
    ways: list[Callable[[str], str]] = [_same, _last, _swapped, _last_swapped]
    for way in ways:
        hits = [sum(_is_below(place, way(name)) for name in names if way(name))
                for place in places]
        # a name that is not found must not become that of another image: one way is for all
        if any(hits):
            return places[hits.index(max(hits))], way
    wanted = {PurePosixPath(name).name: name for name in names}
    for path in _all_images(folder):
        name = wanted.get(path.name)
        if name is not None:
            whole = path.as_posix().endswith('/' + name)
            return (Path(path.as_posix()[:-len(name)]), _same) if whole else (path.parent, _last)
    return None


def _is_below(folder: Path, name: str) -> bool:
    try:
        return Path(below(folder, name)).is_file()
    except ValueError:  # it leads out
        return False


def _same(name: str) -> str:
    return name


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _swapped(name: str) -> str:
    """Write the suffix in the other case: Windows and macOS find ``a.JPG`` as ``a.jpg``."""
    stem, suffix = os.path.splitext(name)
    return stem + suffix.swapcase()


def _last_swapped(name: str) -> str:
    return _swapped(_last(name))


def _places(folder: Path, ann_file: Path, split: str) -> Iterator[Path]:
    bases = dict.fromkeys([ann_file.parent, folder])
    for base in bases:
        yield from (base / name for name in IMAGE_FOLDERS)
    aliases = ALIASES.get(split, (split, )) if split else ()
    tree = _Tree()
    for base in [b / name for b in bases for name in IMAGE_FOLDERS]:
        for name in tree.list(base)[0] if aliases else ():
            if name.lower() in aliases:
                yield from (base / name, base / name / 'images')


def _all_images(folder: Path) -> Iterator[Path]:
    seen = 0
    for base, _, names in os.walk(folder):
        for name in names:
            seen += 1
            if is_image(name):
                yield Path(base, name)
        if seen > LOOKED_AT:
            return


def sniff(path: Path) -> Sniffed | None:
    """Recognise a folder by its annotation files."""
    if path.is_file():
        return Sniffed(0.9, f"'{path.name}' is COCO JSON") if is_coco_file(path) else None
    files = annotation_files(path)
    if files:
        names = ', '.join(f"'{p.relative_to(path).as_posix()}'" for p in files.values())
        return Sniffed(0.95, f'{names} {"is" if len(files) == 1 else "are"} COCO JSON')
    try:
        files = other_files(path)
    except DataError:
        return Sniffed(0.3, 'several COCO JSON files')
    names = ', '.join(f"'{p.relative_to(path).as_posix()}'" for p in files.values())
    return Sniffed(0.4, f'{names}: the only COCO JSON there') if files else None


def splits(path: Path) -> list[SplitFiles]:
    """Return the splits of a folder.

    Raises:
        FileNotFoundError: If the images of a split are not found.
        DataError: If several files could be that of a split.
    """
    files = {'': path} if path.is_file() else annotation_files(path) or other_files(path)
    # the images of a file that is given may lie beside its folder
    folders = [path.parent, path.resolve().parent.parent] if path.is_file() else [path]
    return [_split(split, ann_file, folders) for split, ann_file in files.items()]


def _split(split: str, ann_file: Path, folders: Sequence[Path]) -> SplitFiles:
    names = image_names(ann_file)
    where = split or next(filter(None, map(split_name, (
        ann_file.parent.name, *re.split(r'[_\-. ]', ann_file.name)))), '')
    found = next(filter(None, (find_images(names, folder, ann_file, where)
                               for folder in folders)), None)
    if found is None:
        if not names:
            raise DataError(f"'{ann_file}' lists no image with an 'id' and a 'file_name': export "
                            'the data again, or take the file away')
        raise FileNotFoundError(
            f"the images of '{ann_file}' are not found: '{names[0]}' is nowhere below "
            f"'{folders[-1]}'; put the images into '{folders[0] / 'images'}'")
    images, way = found
    return SplitFiles(split, ann_file, images, partial(_read, ann_file, images, way), way is _same)


def _read(ann_file: Path, images: Path, way: Callable[[str], str]) -> tuple[dict, Report]:
    report = Report(str(ann_file))

    def name_of(image: dict) -> object:
        name = image.get('file_name')
        return way(name.replace('\\', '/')) if isinstance(name, str) else name

    rows = iterate_coco(ann_file, report, optional=['annotations'], file_name=name_of,
                        sizes=partial(size_below, images), progress=False)
    return collect(rows, report), report


FORMAT = _Format(
    'coco', 'COCO JSON (RoboFlow, CVAT, Label Studio, FiftyOne, MMDetection)',
    'SPLIT/_annotations.coco.json, annotations/instances_SPLIT.json, SPLIT.json beside images, '
    'labels.json beside data, ...; or the only COCO file in the folder', sniff, splits)
