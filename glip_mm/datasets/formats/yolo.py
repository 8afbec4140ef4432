"""YOLO: a text file per image, of Ultralytics, Darknet, Roboflow and labelling tools.

Read here and not by a library: supervision 0.31 ends at the first line that it cannot read, wants
the folders of images, of labels and ``data.yaml`` named one by one, and brings some 430 MB of
packages; datumaro 1.13 refuses lines that have not five columns, and pins pandas 2, PyArrow 25 and
Pillow 12.

``data.yaml`` is the user's own configuration: images that it names outside its folder are read.
Lines of lists, which may come from another machine, are looked for in the folder only.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from posixpath import basename, dirname, join, splitext
from typing import Any, NamedTuple

import yaml

from glip_mm.datasets.boxes import MALFORMED
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.report import WITH_ITS_ROW, Report
from glip_mm.image_suffixes import IMAGE_SUFFIXES
from glip_mm.text.safe_yaml import load_yaml

from .base import ALIASES, Format, Sniffed, SplitFiles, split_name
from .image_annotations import (
    OUTLINE,
    Annotated,
    Box,
    Drawn,
    Found,
    Images,
    by_split,
    guess,
    head,
    hull,
    in_order,
    is_image,
    names_in,
    peek,
    plain_path,
    read_text,
    split_files,
    walk,
)

NOT_A_SHARE = 'box whose numbers are not between 0 and 1: shares of the image, no pixels'
NO_LABELS = 'image without a label file, read as one without boxes'
COLUMNS = ('line with another number of columns than 5, 6 or that of an outline; for keypoints '
           'set kpt_shape in data.yaml')
CONFIDENCE = 'confidence in a sixth column, not read'
TWICE = 'line that is there twice'
NO_IMAGE = 'label file without an image'
UNREADABLE = 'image file that cannot be read'
NAMELESS = 'class without a name, called by its number'
SAME_NAME = 'class of the same name as another, made one with it'
LAYOUT = ('data.yaml (or another .yaml) with train, val, test and names; obj.data of Darknet; or '
          'images/ and labels/, undivided or with train/ and val/ above or below, with classes.txt '
          'or *.names; .txt files may also lie beside their images')
#: Folders that hold labels where those of images are called ``images``.
_LABELS = ('labels', 'labelTxt', 'Labels', 'Annotations', 'annotations')
_NAMES = ('classes.txt', 'obj.names', '_darknet.labels', 'predefined_classes.txt')
_USUAL = ('data.yaml', 'dataset.yaml')
_EMPTY = ('', '~', 'null', 'Null', 'NULL')
#: Shares may exceed 1 by the rounding of tools, as in Ultralytics' own check.
_SLACK = 0.01
#: Number of classes beyond which ``nc`` is a mistake.
LARGEST_COUNT = 100_000
#: What DOTA's files begin with.
_DOTA_HEADS = ('imagesource:', 'gsd:')
_SPLIT_KEY = re.compile(rb'^\s*["\']?(train|val|valid|validation|test)["\']?\s*[:=]', re.M)
_NAMES_KEY = re.compile(rb'^\s*["\']?(names|nc)["\']?\s*[:=]', re.M)


def _fault(path: Path, what: str) -> DataError:
    return DataError(f"'{path}': {what}; it must be like\n  train: images/train\n  val: images/val"
                     '\n  names: [cat, dog]')


def read_yaml(path: Path) -> dict:
    """Read a ``data.yaml``; all its values are texts: ``no`` is a class, and not False.

    Raises:
        DataError: If it cannot be parsed (names the line), or is no mapping.
    """
    try:
        # builds texts, lists and mappings only, so it is as safe as safe_load
        content = load_yaml(read_text(path), yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, 'problem_mark', None)
        line = f' line {mark.line + 1}' if mark else ''
        raise DataError(f"'{path}'{line} is no YAML: "
                        f'{getattr(error, "problem", None) or error}') from None
    if not isinstance(content, dict):
        raise _fault(path, 'it is no mapping')
    return content


def _read_darknet(path: Path) -> dict:
    """Read ``obj.data`` of Darknet: lines of ``key = value``."""
    pairs = (line.partition('=') for line in read_text(path).splitlines())
    content = {key.strip(): value.strip() for key, _, value in pairs if value.strip()}
    return {'nc' if key == 'classes' else key: value for key, value in content.items()}


def _whole(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.strip().isdecimal() else None


def class_names(names: Any, count: Any, path: Path, report: Report) -> dict[int, str]:
    """Return the class names by index.

    Args:
        names: List, mapping of indices to names, or nothing.
        count: Number of classes where they have no names.
        path: Path of the file, for messages.
        report: Report that counts what is changed.

    Raises:
        DataError: If ``names`` is anything else.
    """
    if names is None or names in _EMPTY or not names:
        number = _whole(count)
        if number is None or number > LARGEST_COUNT:
            raise _fault(path, "it has neither 'names' nor a number of classes 'nc'")
        names = [''] * number
    if not isinstance(names, (list, dict)):
        raise _fault(path, f"'names' is {names!r:.50}, which is no list and no file that is there")
    found: dict[int, str] = {}
    for key, name in names.items() if isinstance(names, dict) else enumerate(names):
        index = key if isinstance(key, int) else _whole(key)
        if index is None or not isinstance(name, str):
            raise _fault(path, f"entry {key!r:.50} of 'names' is no index with a text")
        if not name.strip():
            report.change(NAMELESS, f'{path} class {index}')
        elif name.strip() in found.values():
            report.change(SAME_NAME, f'{path} class {index} ({name.strip()!r})')
        found[index] = name.strip() or f'class {index}'
    return dict(sorted(found.items()))


def _lines(path: Path) -> list[str]:
    """Return the lines of a file of names; empty ones between others count."""
    return read_text(path).rstrip().splitlines()


class _Labels:
    """Label files of a folder, found by listing each folder in it once.

    Args:
        root: Folder; labels are looked for in and below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._places: dict[str, list[tuple[str, dict[str, str]]]] = {}
        self._listed: dict[str, dict[str, str]] = {}
        self._used: set[str] = set()

    def _list(self, place: str) -> dict[str, str]:
        if place not in self._listed:
            try:
                names = os.listdir(self.root / place)
            except OSError:
                names = []
            self._listed[place] = {name[:-4]: name for name in names
                                   if name.lower().endswith('.txt')}
        return self._listed[place]

    def find(self, image: str) -> Path | None:
        """Return the label file of an image of the folder."""
        folder, name = dirname(image), basename(image)
        if folder not in self._places:
            self._places[folder] = [(place, listed) for place in label_folders(folder)
                                    if (listed := self._list(place))]
        stem = splitext(name)[0]
        for place, listed in self._places[folder]:
            if stem in listed:
                self._used.add(place)
                return self.root / place / listed[stem]
        return None

    def strays(self, images: Iterable[str]) -> list[Path]:
        """Return files of labels in the folders of those that were found, of none of the images."""
        stems = {splitext(basename(image))[0] for image in images}
        paths = [self.root / place / name for place in sorted(self._used)
                 for stem, name in sorted(self._list(place).items())
                 if stem not in stems and not name.startswith('.')]
        return [path for path in paths if _is_label(head(path, 4096).decode('latin-1'))]


def label_folders(folder: str) -> list[str]:
    """Return where the labels of the images of a folder may be, the likeliest first.

    Example:
        >>> label_folders('train/images')[0]
        'train/labels'
    """
    parts = folder.split('/') if folder else []
    last = max((i for i, part in enumerate(parts) if part.lower() in ('images', 'jpegimages')),
               default=None)
    places = [] if last is None else [
        '/'.join([*parts[:last], name, *parts[last + 1:]]) for name in _LABELS]
    places += [folder, join(folder, 'labels'), join('labels', folder)]
    if parts:
        places.append(join(dirname(folder), 'labels'))
    return list(dict.fromkeys(place.rstrip('/') for place in places))


def _numbers(columns: Sequence[str]) -> list[float] | None:
    try:
        return [float(column) for column in columns]
    except ValueError:
        return None


class _Lines:
    """Reader of the lines of label files.

    Args:
        names: Index -> class name.
        keypoints: Number of columns that follow the box, from ``kpt_shape``.
        report: Report.
    """

    def __init__(self, names: Mapping[int, str], keypoints: int, report: Report) -> None:
        self.names, self.keypoints, self.report = names, keypoints, report

    def split(self, path: Path) -> list[tuple[int, list[str]]]:
        """Return the lines of a label file with their numbers, split, each once."""
        if not os.path.isfile(path):
            return []
        lines: dict[str, tuple[int, list[str]]] = {}
        for number, line in enumerate(read_text(path).splitlines(), 1):
            columns = line.split()
            if not columns or columns[0].startswith(_DOTA_HEADS):
                continue
            if lines.setdefault(' '.join(columns), (number, columns))[0] != number:
                self.report.boxes_read += 1
                self.report.drop(TWICE, f'{path} line {number}')
        return list(lines.values())

    def read(self, columns: list[str], width: int, height: int, where: str) -> Drawn | None:
        """Read a line; None if it is no box, which is counted."""
        if len(columns) >= 9 and _numbers(columns[8:9]) is None:
            return self._dota(columns, where)
        numbers = _numbers(columns)
        if numbers is None or len(columns) < 5 or not numbers[0].is_integer():
            return self._lost(MALFORMED, where)
        index, shares = int(numbers[0]), numbers[1:]
        if len(shares) == 4 + self.keypoints:
            shares = shares[:4]
        elif len(shares) == 5:
            self.report.change(CONFIDENCE, where)
            shares = shares[:4]
        elif len(shares) != 4 and (len(shares) % 2 or self.keypoints):
            return self._lost(COLUMNS, where)
        if not all(-_SLACK <= share <= 1 + _SLACK for share in shares):
            return self._lost(NOT_A_SHARE, where)
        box: Box | None
        if len(shares) == 4:
            x, y, w, h = shares
            box = tuple(round(value, 6) for value in (
                (x - w / 2) * width, (y - h / 2) * height, w * width, h * height))
        else:
            self.report.change(OUTLINE, where)
            box = hull((x * width, y * height) for x, y in zip(shares[::2], shares[1::2]))
        return Drawn(where, self.names.get(index), box)

    def _dota(self, columns: list[str], where: str) -> Drawn | None:
        """Read a line of DOTA: four corners in pixels, class name, difficult."""
        numbers = _numbers(columns[:8])
        if numbers is None:
            return self._lost(MALFORMED, where)
        self.report.change(OUTLINE, where)
        name, difficult = ' '.join(columns[8:-1]) or columns[8], columns[-1] == '1'
        if len(columns) > 9 and _numbers(columns[-1:]) is None:
            name, difficult = ' '.join(columns[8:]), False
        known = name if name in self.names.values() else None
        return Drawn(where, known, hull(zip(numbers[::2], numbers[1::2])), difficult)

    def _lost(self, cause: str, where: str) -> Drawn | None:
        self.report.boxes_read += 1
        self.report.drop(cause, where)
        return None


def _is_label(text: str) -> bool:
    """Return whether a text begins like a label file: an index, then at least four numbers."""
    lines = [line.split() for line in text.splitlines()[:5] if line.strip()]
    return bool(lines) and all(
        len(columns) >= 5 and (columns[0].isdecimal() and _numbers(columns) is not None
                               or len(columns) >= 10 and _numbers(columns[:8]) is not None)
        for columns in lines if not columns[0].startswith(_DOTA_HEADS))


class _Image(NamedTuple):
    """Image of a split; ``path`` is None if it is not there; ``listed`` in a file, not a folder."""

    where: str
    path: str | None
    exact: bool = True
    listed: bool = False


class _Folder:
    """Configuration, images and labels of a YOLO folder, listed once for all splits."""

    def __init__(self, path: Path) -> None:
        self.config = path if path.is_file() else _the_config(path)
        # absolute, as list files and data.yaml may name other folders
        self.folder = Path(os.path.abspath(path.parent if path.is_file() else path))
        self.source = self.config or path
        self.images = Images(self.folder)
        self.content = _read_config(self.config) if self.config else {}

    def _bases(self) -> list[Path]:
        """Return the folders that entries of ``data.yaml`` may start from."""
        path = self.content.get('path')
        own = [] if not isinstance(path, str) or path in _EMPTY else [
            self.folder / path, Path.cwd() / path]
        return [Path(os.path.normpath(base)) for base in own if base.is_dir()] + [self.folder]

    def _place(self, entry: str, split: str | None = None) -> tuple[Path, Path] | None:
        """Find the file or folder that an entry means.

        What the entry says exactly comes first, also outside the folder; then its last parts in
        the folder, as the entry may come from another machine, or ``valid`` be called ``val``.

        Returns:
            Folder that it was found from, and its path.
        """
        entry = plain_path(entry)
        parts = [part for part in entry.split('/') if part not in ('', '.', '..')]
        tries = [(base, base / name) for base in self._bases()
                 # Roboflow writes ../train/images for train/images
                 for name in (*(['/'.join(parts)] if entry.startswith('../') else []), entry)]
        names = [part.rpartition('.')[0] or part for part in parts]
        shorter = [parts[i:] for i in range(len(parts))
                   if len(parts) - i > 1 or any(map(split_name, names[i:]))
                   or not split]
        tries += [(self.folder, self.folder.joinpath(*some)) for some in shorter]
        tries += [(self.folder, self.folder.joinpath(
            *(alias if split_name(part) == split else part for part in some)))
            for some in shorter if split for alias in ALIASES.get(split, ())]
        for base, path in tries:
            if path.is_dir() or os.path.isfile(path):
                path = Path(os.path.normpath(path))
                return (base if path.is_relative_to(base) else path.parent), path
        return None

    def _entry(self, entry: object, split: str) -> list[_Image]:
        """Return the images of an entry: a folder, or a list of files."""
        place = self._place(entry, split) if isinstance(entry, str) else None
        if place is None:
            raise _fault(self.source, f"'{split}' names {str(entry)!r:.200}, which is not there "
                         f"(looked in {', '.join(map(repr, map(str, self._bases())))})")
        base, path = place
        if path.is_dir():
            return [_Image(f'{path}/{name}', f'{path}/{name}') for name in sorted(walk(path))
                    if is_image(name)]
        if path.suffix.lower() != '.txt':
            raise _fault(self.source, f"'{split}' names '{path}', which is neither a folder nor a "
                         'list (.txt)')
        images = self.images if base == self.folder else Images(base)
        found = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            image = images.find(line, path.relative_to(base).as_posix())
            found.append(_Image(f'{path} line {number}', image and f'{base}/{image.name}',
                                image is not None and image.exact, True))
        return found

    def splits(self) -> dict[str, list[_Image] | DataError]:
        """Return the images of each split; an error for one that is not there."""
        found: dict[str, list[_Image] | DataError] = {}
        for key, value in self.content.items():
            split = split_name(key)
            if split is None or not value or value in _EMPTY:
                continue
            try:
                found[split] = [image for entry in (value if isinstance(value, list) else [value])
                                for image in self._entry(entry, split)]
            except DataError as error:
                if split != 'test':  # exports name one that was not made
                    found[split] = error
        if found:
            faults = [error for error in found.values() if isinstance(error, DataError)]
            if len(faults) == len(found):
                raise faults[0]
            return in_order(found)
        for path in sorted(self.folder.glob('*.txt')):
            split = split_name(path.stem)
            if split and os.path.isfile(path) and any(map(is_image, _lines(path)[:1])):
                found.setdefault(split, self._entry(path.name, split))
        if found:
            return in_order(found)
        labels = _Labels(self.folder)
        images = self.images.all()
        folders = {dirname(image) for image in images if labels.find(image)}
        return {split: [_Image(f'{self.folder}/{name}', f'{self.folder}/{name}') for name in names]
                for split, names in by_split(image for image in images
                                             if dirname(image) in folders).items()}

    @cached_property
    def keypoints(self) -> int:
        """Number of columns of keypoints."""
        shape = self.content.get('kpt_shape')
        if shape is None or shape in _EMPTY:
            return 0
        sides = [_whole(side) for side in shape] if isinstance(shape, list) else []
        if len(sides) != 2 or not sides[0] or not sides[1]:
            raise _fault(self.source, f"'kpt_shape' is {str(shape):.50}, and not like [17, 3]")
        return sides[0] * sides[1]

    @cached_property
    def names(self) -> tuple[dict[int, str], Report]:
        """Class names by index, and what was changed in them."""
        report = Report(str(self.source))
        if self.config:
            names = self.content.get('names')
            if isinstance(names, str) and names not in _EMPTY:
                place = self._place(names)
                inside = place is not None and place[1].is_relative_to(self.folder)
                names = _lines(place[1]) if place and inside else names
            return class_names(names, self.content.get('nc'), self.source, report), report
        files = [self.folder / name for name in sorted(walk(self.folder, depth=3))
                 if basename(name).lower() in _NAMES or name.lower().endswith('.names')]
        if files:
            found = class_names(_lines(files[0]), None, files[0], report)
            for other in files[1:]:
                if class_names(_lines(other), None, other, Report('')) != found:
                    raise DataError(f"'{files[0]}' and '{other}' name different classes: keep one "
                                    'file for all, as an index must mean the same everywhere')
            return found, report
        labels = _Labels(self.folder)
        used = {line.split()[0] for image in self.images.all()
                if (path_ := labels.find(image)) and os.path.isfile(path_)
                for line in read_text(path_).splitlines() if line.strip()}
        # an index of six digits is no class
        highest = max((int(i) for i in used if i.isdecimal() and len(i) < 6), default=-1)
        return class_names(None, str(highest + 1), self.folder, report), report

    def split(self, name: str, images: list[_Image] | DataError) -> SplitFiles:
        """Make a split."""
        if isinstance(images, DataError):
            def fail() -> tuple[dict, Report]:
                raise images
            return SplitFiles(name, self.source, self.folder, fail)
        root = self._root([image.path for image in images if image.path])
        return split_files(name, self.source, Images(root), partial(self._items, root, images),
                           lambda: list(dict.fromkeys(self.names[0].values())))

    def _root(self, paths: Sequence[str]) -> Path:
        """Return the folder that file names of a split start from."""
        folders = {Path(path).parent for path in paths}
        if not folders or all(path.is_relative_to(self.folder) for path in folders):
            return self.folder
        common = Path(os.path.commonpath(folders))
        # labels are beside the last folder of that name
        return next((path.parent for path in (common, *common.parents) if path.name == 'images'),
                    common)

    def _items(self, root: Path, images: Sequence[_Image], report: Report
               ) -> Iterator[Annotated]:
        names, changes = self.names
        report.add(changes)
        labels, sizes = _Labels(root), Images(root)
        reader, some = _Lines(names, self.keypoints, report), False
        for image in images:
            if image.path is None:
                yield Annotated(image.where, None, ())
                continue
            name = Path(image.path).relative_to(root).as_posix()
            found, path = Found(name, image.exact), labels.find(name)
            lines = reader.split(path) if path else []
            some = some or path is not None
            if path is None:
                report.change(NO_LABELS, image.where)
            size = sizes.size(name)
            if size is None:
                report.rows_read += 1
                report.boxes_read += len(lines)
                report.drop(UNREADABLE, image.where)
                report.drop(WITH_ITS_ROW, image.where, len(lines))
                continue
            boxes = (reader.read(columns, *size, f'{path} line {number}')
                     for number, columns in lines)
            yield Annotated(image.where, found, [box for box in boxes if box], *size)
        for path in [] if any(image.listed for image in images) else labels.strays(sizes.all()):
            count = len(reader.split(path))
            report.rows_read += 1
            report.boxes_read += count
            report.drop(NO_IMAGE, str(path))
            report.drop(WITH_ITS_ROW, str(path), count)
        if not some:
            raise DataError(f"'{self.source}': none of {len(images)} images has a label file, such "
                            f"as '{root / label_folders('images')[0]}/NAME.txt' of "
                            f"'{root}/images/NAME.jpg': put them there")


def _configs(folder: Path) -> Iterator[Path]:
    """Iterate over the ``data.yaml`` or ``obj.data`` of a folder, under whatever name."""
    names = names_in(folder, ('.yaml', '.yml', '.data'))
    names.sort(key=lambda name: (name not in _USUAL, name))
    return (folder / name for name in names if _is_config(folder / name))


def _the_config(folder: Path) -> Path | None:
    """Return the configuration of a folder.

    Raises:
        DataError: If several of unusual names mean different classes or splits.
    """
    paths = _configs(folder)
    first = next(paths, None)
    if first is None or first.name in _USUAL:
        return first
    one = _read_config(first)
    for other in paths:
        two = _read_config(other)
        differ = [key for key in ('names', 'nc', 'train', 'val', 'valid', 'test')
                  if one.get(key) != two.get(key)]
        if differ:
            raise DataError(f"'{folder}' holds '{first.name}' and '{other.name}', which differ in "
                            f'{", ".join(differ)}: give the path of one of them')
    return first


def _read_config(path: Path) -> dict:
    return _read_darknet(path) if path.suffix == '.data' else read_yaml(path)


def _is_config(path: Path) -> bool:
    # without zero bytes UTF-16 looks like ASCII
    text = head(path).lstrip(b'\xef\xbb\xbf\xff\xfe').replace(b'\0', b'')
    return bool(_SPLIT_KEY.search(text) and _NAMES_KEY.search(text))


def sniff(folder: Path) -> Sniffed | None:
    """Look for ``data.yaml`` or ``obj.data``, else for label files of images."""
    if folder.is_file():
        known = folder.suffix.lower() in ('.yaml', '.yml', '.data') and _is_config(folder)
        return Sniffed(1., f"'{folder.name}' with splits and names") if known else None
    config = next(_configs(folder), None)
    if config is not None:
        return Sniffed(1., f"'{config.name}' with splits and names")
    labels = prose = 0
    first = None
    for path in peek(folder, IMAGE_SUFFIXES, 60):
        sub = path.parent.relative_to(folder).as_posix()
        places = label_folders('' if sub == '.' else sub)
        for place, suffix in product(places, ('.txt', '.TXT')):
            label = folder / place / f'{path.stem}{suffix}'
            text = head(label, 4096)
            if text.strip():
                good = _is_label(text.decode('latin-1'))
                labels, prose = labels + good, prose + (not good)
                first = first or (label if good else None)
                break
    if first is None or labels < 4 * prose:
        return None
    return guess(0.7, first, folder, 'has a class and a box in each line, and an image')


def splits(folder: Path) -> list[SplitFiles]:
    """Return the splits of a YOLO folder, or of its ``data.yaml``."""
    yolo = _Folder(folder)
    return [yolo.split(name, images) for name, images in yolo.splits().items()]


FORMAT = Format('yolo', 'YOLO (Ultralytics, Darknet, Roboflow)', LAYOUT, sniff, splits)
