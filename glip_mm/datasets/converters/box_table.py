"""Annotations of a COCO-like file in columns: 60 bytes per box, in any order."""

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glip_mm.datasets.coco_file import (
    NO_IMAGE,
    TWICE,
    Placed,
    Sizes,
    check_image_twice,
    iterate_coco,
    match_ids,
    unique_categories,
)
from glip_mm.datasets.report import Report

from .phrases import pairs_of


class Box(NamedTuple):
    """An annotation: ``x, y, w, h`` in pixels, and the character spans of its phrase."""

    where: str
    x: float
    y: float
    w: float
    h: float
    category: object
    ignore: bool
    spans: list[list[int]]


class Image(NamedTuple):
    """An entry of ``images``; ``extra`` holds format-specific fields."""

    number: int
    image_id: int | str
    file_name: str
    height: int
    width: int
    extra: tuple


class BoxTable:
    """Columns that grow by one annotation at a time and are read by image."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}  # image id -> row, in order of first occurrence
        self._categories: dict[object, int] = {}
        self._image = array('i')
        self._ordinal = array('i')
        self._category = array('i')
        self._ignore = array('b')
        self._xywh = array('d')
        self._spans = array('i')
        self._span_ends = array('q')
        self._listed = 0
        self.names: list[object] = []

    def number(self, image_id: object) -> int:
        """Return the row of an image, whether its boxes or its own entry come first."""
        return self._numbers.setdefault(image_id, len(self._numbers))

    def add(self, ordinal: int, image_id: object, xywh: Sequence[float], category: object,
            ignore: bool, spans: Sequence[Sequence[int]]) -> None:
        """Append an annotation."""
        self._image.append(self.number(image_id))
        self._ordinal.append(ordinal)
        self._category.append(self._categories.setdefault(category, len(self._categories)))
        self._ignore.append(ignore)
        self._xywh.extend(xywh)
        for span in spans:
            self._spans.extend(span)
        self._span_ends.append(len(self._spans))

    def close(self, listed: Collection[object]) -> None:
        """Sort the boxes by image; the sort is stable.

        Args:
            listed: Ids of the listed images.
        """
        image = np.frombuffer(self._image, np.int32) if self._image else np.empty(0, np.int32)
        meant = match_ids(self._numbers.keys() - set(listed), listed)
        if meant:
            number = np.arange(len(self._numbers), dtype=np.int32)
            for written, image_id in meant.items():
                number[self._numbers[written]] = self._numbers[image_id]
            image = number[image]
        self._order = np.argsort(image, kind='stable').astype(np.int32)
        counts = np.bincount(image, minlength=len(self._numbers))
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.names = list(self._categories)

    def of(self, number: int) -> list[Box]:
        """Return the boxes of an image, in the order of the file."""
        boxes = []
        for k in self._order[self._starts[number]:self._starts[number + 1]].tolist():
            flat = self._spans[self._span_ends[k - 1] if k else 0:self._span_ends[k]]
            x, y, w, h = self._xywh[4 * k:4 * k + 4]
            boxes.append(Box(
                f'annotations[{self._ordinal[k]}]', x, y, w, h, self.names[self._category[k]],
                bool(self._ignore[k]), [list(pair) for pair in zip(flat[::2], flat[1::2])]))
        return boxes

    def unlisted(self, images: Sequence[Image]) -> list[int]:
        """Return the ordinals of annotations whose image is not listed."""
        listed = np.zeros(len(self._numbers), bool)
        listed[[image.number for image in images]] = True
        stray = self._order[~np.repeat(listed, np.diff(self._starts))]
        return [self._ordinal[k] for k in stray.tolist()]


class Container(NamedTuple):
    """Content of an annotation file that records are made from."""

    images: list[Image]
    table: BoxTable
    categories: list[dict]


def read_container(ann_file: str | Path, report: Report, categories: bool = True,
                   file_name: Callable[[dict], object] = lambda image: image.get('file_name'),
                   extra: Callable[[dict], tuple] = lambda image: (),
                   spans: Callable[[dict], Any] = lambda annotation: (),
                   corrected: Callable[[Iterable[Placed]], Iterable[Placed]] = iter,
                   progress: bool = True, sizes: Sizes | None = None) -> Container:
    """Read a COCO-like JSON file in one pass.

    Args:
        ann_file: Path of the JSON file.
        report: Report that counts the unreadable entries.
        categories: Whether the file must have categories.
        file_name: Function from an image entry to its file name.
        extra: Function from an image entry to the format-specific fields to keep.
        spans: Function from an annotation to its list of ``[begin, end]`` character spans.
        corrected: Function from all rows to those that are meant.
        progress: Show a progress bar.
        sizes: Source of sizes of images that have none in the file.

    Returns:
        Images in the order of the file, the table of boxes, categories.

    Raises:
        ValueError: If the file is not JSON of this format.
    """
    sections = ['images', 'annotations'] + ['categories'] * categories
    # a split may be without boxes; phrases are all that a file of captions has
    rows = iterate_coco(ann_file, report, sections, ['annotations'] if categories else [],
                        file_name=file_name, sizes=sizes, progress=progress)
    return fill_container(corrected(rows), report, extra, spans)


def fill_container(rows: Iterable[Placed], report: Report,
                   extra: Callable[[dict], tuple] = lambda image: (),
                   spans: Callable[[dict], Any] = lambda annotation: ()) -> Container:
    """Collect rows of :func:`glip_mm.datasets.coco_file.plain_rows`; see :func:`read_container`."""
    table, names = BoxTable(), []
    images: dict[int, Image] = {}
    for section, where, row in rows:
        if section == 'annotations':
            table.add(int(where[len('annotations['):-1]), row['image_id'], row['bbox'],
                      row.get('category_id'), bool(row['iscrowd']),
                      pairs_of(spans(row), report, where))
        elif section == 'images':
            number = table.number(row['id'])
            if number in images:
                check_image_twice(dict(file_name=images[number].file_name), row, report.source)
                report.drop(TWICE, where)
            else:
                images[number] = Image(number, row['id'], row['file_name'], row['height'],
                                       row['width'], extra(row))
        else:
            names.append(row)
    table.close([image.image_id for image in images.values()])
    container = Container(list(images.values()), table, unique_categories(names, report.source))
    for ordinal in table.unlisted(container.images):
        report.drop(NO_IMAGE, f'annotations[{ordinal}]')
    return container
