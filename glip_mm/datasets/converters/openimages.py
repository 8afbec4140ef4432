"""OpenImages CSV to ODVG records."""

import csv
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TextIO

from glip_mm.image_decoding import open_image

from .boxes import MALFORMED, fit_box, four_numbers
from .conversion_report import WITH_ITS_ROW, Report
from .records import Records

COLUMNS = ('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf')
NO_IMAGE = 'image that is missing or broken'
UNKNOWN_CLASS = 'box of a class that is not listed'


class ImageSizes:
    """Width and height of images, read from their headers once and cached in a file.

    The boxes of OpenImages are fractions, so every image must be opened; sizes are appended to
    ``cache`` at once, so that an interrupted conversion continues where it stopped.
    """

    def __init__(self, image_root: str | Path, cache: str | Path | None = None) -> None:
        self.image_root = Path(image_root)
        self.cache = Path(cache) if cache else None
        self.known: dict[str, tuple[int, int]] = {}
        self._file: TextIO | None = None
        if self.cache and self.cache.exists():
            with open(self.cache, encoding='utf-8', newline='') as file:
                for row in csv.reader(file):
                    # an interruption can truncate the last line
                    if len(row) == 4 and row[3] == '.':
                        self.known[row[0]] = int(row[1]), int(row[2])

    def __call__(self, name: str) -> tuple[int, int] | None:
        """Return ``(width, height)`` of an image; None if it cannot be read."""
        if name not in self.known:
            try:
                with open_image(self.image_root / name) as image:
                    self.known[name] = image.size
            except (OSError, ValueError):
                return None
            if self.cache:
                if self._file is None:
                    self.cache.parent.mkdir(parents=True, exist_ok=True)
                    self._file = open(self.cache, 'a', encoding='utf-8', newline='')
                    self._file.write('\n' if self.cache.stat().st_size else '')
                csv.writer(self._file).writerow([name, *self.known[name], '.'])
        return self.known[name]

    def close(self) -> None:
        """Close the cache file, which flushes it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _classes(path: str | Path) -> dict[str, str]:
    classes = {}
    with open(path, newline='', encoding='utf-8-sig') as file:
        for number, row in enumerate(csv.reader(file), 1):
            if row == ['LabelName', 'DisplayName'] or not row:
                continue
            if len(row) != 2 or not row[0] or not row[1]:
                raise ValueError(f"'{path}' line {number} is {row!r}, but must be an id such as "
                                 "'/m/011k07' and a name")
            if row[0] in classes:
                raise ValueError(f"'{path}' line {number}: class {row[0]!r} comes twice: keep one")
            classes[row[0]] = row[1]
    return classes


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate over line numbers and the wanted columns of all rows."""
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.reader(file)
        header = next(reader, [])
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise ValueError(f"'{path}' has no column {missing}, its first line is {header}: give "
                             'the file of boxes, such as oidv6-train-annotations-bbox.csv')
        places = [header.index(name) for name in COLUMNS]
        for row in reader:
            if row:
                yield reader.line_num, [row[i] if i < len(row) else '' for i in places]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _records(path: Path, labels: dict[str, int], names: dict[str, str],
             sizes: Callable[[str], tuple[int, int] | None], drop_crowd: bool, report: Report
             ) -> Iterator[dict]:
    seen = set()
    for image_id, group in groupby(_rows(path), key=lambda item: item[1][0]):
        report.rows_read += 1
        rows = list(group)
        report.boxes_read += len(rows)
        where = f'{path.name} line {rows[0][0]}'
        if image_id in seen:
            raise ValueError(f"'{path}' line {rows[0][0]}: the boxes of image {image_id} are not "
                             'in one piece: sort the file by its first column')
        seen.add(image_id)
        name = f'{image_id}.jpg'
        size = sizes(name)
        if size is None:
            report.drop(NO_IMAGE, f'{where} ({name})')
            report.drop(WITH_ITS_ROW, where, len(rows))
            continue
        width, height = size
        instances = []
        for line, (_, class_id, *corners, is_group) in rows:
            where = f'{path.name} line {line}'
            if class_id not in labels:
                report.drop(UNKNOWN_CLASS, f'{where} ({class_id})')
                continue
            fractions = four_numbers([_number(text) for text in corners])
            if fractions is None:
                report.drop(MALFORMED, where)
                continue
            if is_group == '1' and drop_crowd:
                report.drop('box of a group', where)
                continue
            left, right, top, bottom = fractions
            bbox = fit_box(left * width, top * height, right * width, bottom * height, width,
                           height, report, where)
            if bbox is None:
                continue
            instance = dict(bbox=bbox, label=labels[class_id], category=names[class_id])
            if is_group == '1':
                instance['ignore'] = 1
                report.change('box of a group marked to be ignored', where)
            instances.append(instance)
        report.rows_written += 1
        report.boxes_written += len(instances)
        yield dict(filename=name, height=height, width=width, detection=dict(instances=instances))


def openimages_records(ann_file: str | Path, class_file: str | Path,
                       sizes: Callable[[str], tuple[int, int] | None], drop_crowd: bool = False
                       ) -> Records:
    """Read OpenImages boxes; only the list of image ids is kept in memory.

    Args:
        ann_file: CSV file of boxes, grouped by image (as published).
        class_file: CSV file of class ids and names; labels follow its order.
        sizes: Function from a file name to width and height in pixels, such as
            :class:`ImageSizes`.
        drop_crowd: Leave out group boxes. By default they are marked with ``ignore: 1``.

    Returns:
        Detection records.

    Raises:
        ValueError: If a file is not of this format; during the iteration, if the boxes are not
            grouped by image.
    """
    names = _classes(class_file)
    labels = {class_id: label for label, class_id in enumerate(names)}
    report = Report(str(ann_file))
    next(_rows(Path(ann_file)), None)  # a wrong file fails here, not at the first record
    return Records(_records(Path(ann_file), labels, names, sizes, drop_crowd, report),
                   dict(enumerate(names.values())), None, report)
