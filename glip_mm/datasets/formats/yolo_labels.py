"""Label files of YOLO, and what their lines mean."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from posixpath import basename, dirname, join, splitext

from glip_mm.datasets.boxes import MALFORMED
from glip_mm.datasets.data_error import LEGACY, read_text
from glip_mm.datasets.report import Report

from .image_annotations import OUTLINE, Box, Drawn, head, hull

NOT_A_SHARE = 'box whose numbers are not between 0 and 1: shares of the image, no pixels'
COLUMNS = ('line with another number of columns than 5, 6 or that of an outline; for keypoints '
           'set kpt_shape in data.yaml')
CONFIDENCE = 'confidence in a sixth column, not read'
TWICE = 'line that is there twice'
#: Folders that hold labels where those of images are called ``images``.
_LABELS = ('labels', 'labelTxt', 'Labels', 'Annotations', 'annotations')
#: Shares may exceed 1 by the rounding of tools, as in Ultralytics' own check.
_SLACK = 0.01
#: What DOTA's files begin with.
_DOTA_HEADS = ('imagesource:', 'gsd:')


class Labels:
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
        return [path for path in paths if is_label(head(path, 4096).decode('latin-1'))]


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


class LineReader:
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
        for number, line in enumerate(read_text(path, LEGACY).splitlines(), 1):
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


def is_label(text: str) -> bool:
    """Return whether a text begins like a label file: an index, then at least four numbers."""
    lines = [line.split() for line in text.splitlines()[:5] if line.strip()]
    return bool(lines) and all(
        len(columns) >= 5 and (columns[0].isdecimal() and _numbers(columns) is not None
                               or len(columns) >= 10 and _numbers(columns[:8]) is not None)
        for columns in lines if not columns[0].startswith(_DOTA_HEADS))
