"""OpenImages CSV to ODVG records."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TextIO

from glip_mm.csv_text import csv_cells, csv_text
from glip_mm.datasets.boxes import MALFORMED, fit_box, four_numbers
from glip_mm.datasets.coco_file import Placed, plain_number
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.image_size import size_below
from glip_mm.datasets.report import WITH_ITS_ROW, Report
from glip_mm.image_suffixes import IMAGE_SUFFIXES

from .records import Records
from .text_file import csv_rows

COLUMNS = ('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax')
GROUP = 'IsGroupOf'
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
                for row in csv_cells(file):
                    # an interruption can truncate the last line
                    if len(row) == 4 and row[3] == '.':
                        self.known[row[0]] = int(row[1]), int(row[2])

    def __call__(self, name: str) -> tuple[int, int] | None:
        """Return ``(width, height)`` of an image as it is loaded; None if it cannot be read."""
        if name not in self.known:
            size = size_below(self.image_root, name)
            if size is None:
                return None
            self.known[name] = size
            if self.cache:
                if self._file is None:
                    self.cache.parent.mkdir(parents=True, exist_ok=True)
                    self._file = open(self.cache, 'a', encoding='utf-8', newline='')
                    self._file.write('\n' if self.cache.stat().st_size else '')
                self._file.write(csv_text([[name, *self.known[name], '.']]))
        return self.known[name]

    def close(self) -> None:
        """Close the cache file, which flushes it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_classes(path: str | Path) -> dict[str, str]:
    """Read class ids and names, in the order of the file, with or without a header.

    Raises:
        DataError: If a line is not an id and a name, or an id comes twice.
    """
    classes: dict[str, str] = {}
    for number, row in csv_rows(path):
        if row == ['LabelName', 'DisplayName'] or not any(row):
            continue
        if len(row) != 2 or not row[0] or not row[1]:
            raise DataError(f"'{path}' line {number} is {row!r:.200}, but must be an id such as "
                            "'/m/011k07' and a name")
        if row[0] in classes:
            raise DataError(f"'{path}' line {number}: class {row[0]!r} comes twice: keep one")
        classes[row[0]] = row[1]
    return classes


def box_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate over line numbers and the wanted columns of all rows."""
    rows = csv_rows(path)
    header = [name.strip() for name in next(rows, (1, []))[1]]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DataError(f"'{path}' has no column {missing}, its first line is {header!r:.200}: "
                        'give the file of boxes, such as oidv6-train-annotations-bbox.csv')
    places = [header.index(name) for name in (*COLUMNS, GROUP) if name in header]
    for number, row in rows:
        if row:
            cells = [row[i].strip() if i < len(row) else '' for i in places]
            yield number, cells + [''] * (len(COLUMNS) + 1 - len(cells))


class Box(NamedTuple):
    """A box: corners as fractions of the image; None if they are no numbers."""

    line: int
    class_id: str
    corners: tuple[float, float, float, float] | None
    is_group: bool


def _box(line: int, cells: Sequence[str]) -> Box:
    return Box(line, cells[1], four_numbers([plain_number(text) for text in cells[2:6]]),
               cells[6] == '1')


def boxes_by_image(path: Path) -> Iterator[tuple[str, list[Box]]]:
    """Iterate over images and their boxes.

    Published files have the boxes of an image in one piece: only the ids of images are then kept
    in memory. Of other files, all boxes are.
    """
    seen: set[str] = set()
    last = None
    for _, cells in box_rows(path):
        if cells[0] != last and cells[0] in seen:
            break
        last = cells[0]
        seen.add(last)
    else:
        for image_id, group in groupby(box_rows(path), key=lambda item: item[1][0]):
            yield image_id, [_box(line, cells) for line, cells in group]
        return
    images: dict[str, list[Box]] = {}
    for line, cells in box_rows(path):
        images.setdefault(cells[0], []).append(_box(line, cells))
    yield from images.items()


def find_image(image_id: str, sizes: Callable[[str], tuple[int, int] | None]
               ) -> tuple[str, tuple[int, int]] | None:
    """Return file name and size of an image; ids have a suffix or not. None if it has no file."""
    names = [image_id] * image_id.lower().endswith(IMAGE_SUFFIXES) + [
        f'{image_id}{suffix}' for suffix in IMAGE_SUFFIXES]
    return next(((name, size) for name in names if (size := sizes(name)) is not None), None)


def _records(path: Path, labels: dict[str, int], names: dict[str, str],
             sizes: Callable[[str], tuple[int, int] | None], drop_crowd: bool, report: Report
             ) -> Iterator[dict]:
    for image_id, boxes in boxes_by_image(path):
        report.rows_read += 1
        report.boxes_read += len(boxes)
        where = f'{path.name} line {boxes[0].line}'
        found = find_image(image_id, sizes)
        if found is None:
            report.drop(NO_IMAGE, f'{where} ({image_id})')
            report.drop(WITH_ITS_ROW, where, len(boxes))
            continue
        name, (width, height) = found
        instances = []
        for box in boxes:
            where = f'{path.name} line {box.line}'
            if box.class_id not in labels:
                report.drop(UNKNOWN_CLASS, f'{where} ({box.class_id})')
                continue
            if box.corners is None:
                report.drop(MALFORMED, where)
                continue
            if box.is_group and drop_crowd:
                report.drop('box of a group', where)
                continue
            left, right, top, bottom = box.corners
            bbox = fit_box(left * width, top * height, right * width, bottom * height, width,
                           height, report, where)
            if bbox is None:
                continue
            instance = dict(bbox=bbox, label=labels[box.class_id], category=names[box.class_id])
            if box.is_group:
                instance['ignore'] = 1
                report.change('box of a group marked to be ignored', where)
            instances.append(instance)
        report.rows_written += 1
        report.boxes_written += len(instances)
        yield dict(filename=name, height=height, width=width, detection=dict(instances=instances))


def openimages_rows(ann_file: str | Path, class_file: str | Path,
                    sizes: Callable[[str], tuple[int, int] | None], report: Report
                    ) -> Iterator[Placed]:
    """Iterate over OpenImages boxes as raw rows of a COCO-format file.

    Args:
        ann_file: CSV file of boxes.
        class_file: CSV file of class ids and names; category ids are 1, 2, ... in its order.
        sizes: Function from a file name to width and height in pixels.
        report: Report that counts images without a file, and their boxes.

    Raises:
        DataError: If no image has a file.
    """
    names = read_classes(class_file)
    ids = {class_id: i for i, class_id in enumerate(names, 1)}
    for class_id, i in ids.items():
        yield 'categories', f'class {class_id}', dict(id=i, name=names[class_id],
                                                      openimages_id=class_id)
    path, any_found, where = Path(ann_file), False, 'none at all'
    for image_id, boxes in boxes_by_image(path):
        where = f'{path.name} line {boxes[0].line}'
        found = find_image(image_id, sizes)
        if found is None:
            report.rows_read += 1
            report.boxes_read += len(boxes)
            report.drop(NO_IMAGE, f'{where} ({image_id})')
            report.drop(WITH_ITS_ROW, where, len(boxes))
            continue
        name, (width, height) = found
        # ids are hexadecimal: one of digits alone would be taken for a number, a file name is not
        yield 'images', where, dict(id=name, file_name=name, width=width, height=height)
        for box in boxes:
            bbox = None
            if box.corners is not None:
                left, right, top, bottom = box.corners
                bbox = [left * width, top * height, (right - left) * width,
                        (bottom - top) * height]
            yield 'annotations', f'{path.name} line {box.line}', dict(
                image_id=name, category_id=ids.get(box.class_id, 0), bbox=bbox,
                iscrowd=int(box.is_group))
        any_found = True
    if not any_found:
        raise DataError(f"'{path}': none of its images is in '{getattr(sizes, 'image_root', '')}', "
                        f'such as {where}: put them into a folder named after the split\n'
                        + '\n'.join(report.lines()))


def openimages_records(ann_file: str | Path, class_file: str | Path,
                       sizes: Callable[[str], tuple[int, int] | None], drop_crowd: bool = False
                       ) -> Records:
    """Read OpenImages boxes.

    Args:
        ann_file: CSV file of boxes, see :func:`boxes_by_image`.
        class_file: CSV file of class ids and names; labels follow its order.
        sizes: Function from a file name to width and height in pixels, such as
            :class:`ImageSizes`.
        drop_crowd: Leave out group boxes. By default they are marked with ``ignore: 1``.

    Returns:
        Detection records.

    Raises:
        DataError: If a file is not of this format.
    """
    names = read_classes(class_file)
    labels = {class_id: label for label, class_id in enumerate(names)}
    report = Report(str(ann_file))
    next(box_rows(Path(ann_file)), None)  # a wrong file fails here, not at the first record
    return Records(_records(Path(ann_file), labels, names, sizes, drop_crowd, report),
                   dict(enumerate(names.values())), None, report)
