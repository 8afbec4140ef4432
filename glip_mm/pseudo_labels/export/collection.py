"""Selection of the labels to export: boxes and their categories."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glip_mm.box_iou import box_iou
from glip_mm.datasets.boxes import fit_box
from glip_mm.datasets.converters import Report
from glip_mm.pseudo_labels.label_rows import (
    LabelRow,
    LabelRows,
    instance_name,
    phrase_text,
    region_boxes,
)
from glip_mm.text.names import is_blank

from .classes import ClassList, category_name


class ExportBox(NamedTuple):
    """A box to export."""

    #: x1, y1, x2, y2 in pixels, half open, inside the image.
    box: tuple[float, float, float, float]
    #: Index into the categories.
    category: int
    #: Score of the box, None for ground truth.
    score: float | None
    #: Whether the box is to be ignored: a crowd, or difficult.
    ignore: bool
    #: Index of its region and within the region; for detection rows 0 and the instance's index.
    part: tuple[int, int]


class ExportImage(NamedTuple):
    """An image with boxes."""

    row: LabelRow
    boxes: list[ExportBox]
    #: ``'train'`` or ``'val'``; empty if the labels are not divided.
    split: str = ''

    @property
    def name(self) -> str:
        """Return the file name in the labels."""
        return self.row.record['filename']

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        return self.row.record['width'], self.row.record['height']

    @property
    def caption(self) -> str | None:
        """Return the caption, None for detection rows."""
        return self.row.record.get('grounding', {}).get('caption')


class Collection:
    """Images and their boxes for any export format; can be iterated over many times.

    Args:
        rows: Labels.
        images: Root folder of file names; shards contain their images.
        min_score: Score threshold; boxes without a score are ground truth and are kept.
        classes: Categories to keep; None: every phrase is a category.
        min_count: Minimum number of boxes of a category.
        merge_iou: IoU threshold of NMS among boxes of *different phrases* of a caption with the
            same category ("a dog and the dog"), for the
            formats that have categories.
        image_url: URL of the image folder for Label Studio, with a slash at its end.
        keep_empty: Whether images without boxes are exported, too.
        val: Share of the images that become the val split; 0: no division. Which ones depends on
            their names, the share and the seed alone.
        seed: Random seed of the division.
        images_as: How images get into the target folder: ``'link'`` (to their folder; files of
            shards are written), ``'copy'``, ``'none'``, or ``''``, as the format does by itself.
        progress: Show progress bars.

    Raises:
        ValueError: If no row is usable, or no box is left; the message says why.
    """

    def __init__(self, rows: LabelRows, images: Path | None = None, min_score: float = 0.,
                 classes: ClassList | None = None, min_count: int = 1, merge_iou: float = 0.6,
                 image_url: str = '', keep_empty: bool = False, val: float = 0., seed: int = 0,
                 images_as: str = '', progress: bool = True) -> None:
        if images is not None and not Path(images).is_dir():
            raise ValueError(f"--images '{images}' is no folder")
        self.rows, self.images_folder, self.progress = rows, images, progress
        self.image_url, self.images_as = image_url, images_as
        self.keep_empty, self.val, self.seed = keep_empty, val, seed
        self.min_score, self.classes, self.merge_iou = min_score, classes, merge_iou
        self.min_count = min_count
        #: Names of the label map, which are categories as they are, unless some are chosen.
        self._given = list(dict.fromkeys((rows.label_map or {}).values())) if not classes else []
        self._last_of_val = -1
        self.categories: list[str] = []
        #: Counts of rows and boxes, and of rows and boxes that are left out, by reason.
        self.counts: Counter = Counter()
        #: Number of boxes of each category.
        self.boxes_of: Counter = Counter()
        #: Number of rows without a box of any category.
        self.empty = 0
        #: Number of images of each split, if the labels are divided.
        self.images_of: dict[str, int] = {}
        self._count()

    def _count(self) -> None:
        found: Counter = Counter()
        draws = []
        for row in self.rows.walk('counting', self.progress, self.counts):
            self.counts['boxes'] += len(row.dropped)
            named = self._named_boxes(row, self.counts)
            found.update(name for name, _ in self._merge(named))
            self.empty += not named
            self.counts['rows'] += 1
            if self.val and (named or self.keep_empty):
                draws.append(self._draw(row.record['filename']))
        listed = self.classes.names if self.classes else self._given
        order = listed if self.classes else [*listed, *sorted(
            set(found).difference(listed), key=lambda name: (-found[name], name))]
        self.categories = [name for name in order if found[name] >= self.min_count
                           or name in listed and not found[name]]
        if self.val:
            self._last_of_val, self.images_of = _divide(draws, self.val)
        kept = set(self.categories)
        self.boxes_of = Counter({name: n for name, n in found.items() if name in kept})
        rare = found.total() - self.boxes_of.total()
        if rare:
            self.counts[f'of a category below --min-count {self.min_count}'] = rare
        if not self.boxes_of.total() and not self.keep_empty:
            causes = ', '.join(f'{n} {cause}' for cause, n in self.counts.items()
                               if cause not in ('rows', 'boxes'))
            raise ValueError(f"no box of '{self.rows.path}' is left to be exported: of "
                             f"{self.counts['boxes']} in {self.counts['rows']} rows "
                             f"{causes or 'there is none'}")

    def images(self, description: str = 'writing', merge: bool = True) -> Iterator[ExportImage]:
        """Iterate over the images to export, in the order of the labels.

        Args:
            description: Title of the progress bar.
            merge: Whether to merge boxes that several phrases share, see ``merge_iou``.
        """
        index = {name: i for i, name in enumerate(self.categories)}
        for row in self.rows.walk(description, self.progress):
            named = self._named_boxes(row, Counter())
            boxes = [box._replace(category=index[name])
                     for name, box in (self._merge(named) if merge else named) if name in index]
            if boxes or self.keep_empty:
                yield ExportImage(row, boxes, self._split_of(row.record['filename']))

    @property
    def splits(self) -> tuple[str, ...]:
        """Return the names of the splits, one empty one if the labels are not divided."""
        return ('train', 'val') if self.val else ('', )

    def _split_of(self, name: str) -> str:
        return '' if not self.val else 'val' if self._draw(name) <= self._last_of_val else 'train'

    def _draw(self, name: str) -> int:
        """Draw a number that depends on an image's name alone: others do not move it."""
        text = f'{self.seed} {name}'.encode(errors='surrogatepass')
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), 'big')

    def category_of(self, phrase: str) -> str | None:
        """Return the category that a phrase would have; it may still be too rare."""
        if self.classes:
            return self.classes.find(phrase)
        return phrase if phrase in self._given else category_name(phrase)

    def _named_boxes(self, row: LabelRow, counts: Counter) -> list[tuple[str, ExportBox]]:
        record, named = row.record, []
        clipping = Report(row.where)
        for phrase, box, score, ignore, part in _all_boxes(row, self.rows.label_map):
            counts['boxes'] += 1
            if score is not None and score < self.min_score:
                counts[f'below --min-score {self.min_score:g}'] += 1
                continue
            name = self.category_of(phrase)
            if name is None or is_blank(name):
                counts['of another phrase than --classes' if name is None else
                       'of a blank name'] += 1
                continue
            x1, y1, x2, y2 = box
            fitted = fit_box(x1, y1, x2, y2, record['width'], record['height'], clipping,
                             row.where)
            if fitted is None:
                counts['boxes (degenerate box)'] += 1
                continue
            x1, y1, x2, y2 = fitted
            named.append((name, ExportBox((x1, y1, x2, y2), -1, score, ignore, part)))
        return named

    def _merge(self, named: list[tuple[str, ExportBox]]) -> list[tuple[str, ExportBox]]:
        named = sorted(named, key=lambda found: -_score(found[1]))
        boxes = np.array([one.box for _, one in named], dtype=float).reshape(-1, 4)
        close = box_iou(boxes, boxes) > self.merge_iou
        kept: list[int] = []
        for i, (name, one) in enumerate(named):
            if not any(name == named[j][0] and one.part[0] != named[j][1].part[0]
                       and not one.ignore and close[i, j] for j in kept):
                kept.append(i)
        # the order of the caption, not of the scores
        return sorted((named[i] for i in kept), key=lambda found: found[1].part)


def _divide(draws: list[int], share: float) -> tuple[int, dict[str, int]]:
    """Return the largest draw of the val split, and the sizes of both; neither is empty.

    Raises:
        ValueError: If there are fewer than two images.
    """
    if len(draws) < 2:
        raise ValueError(f'--val {share:g} cannot divide {len(draws)} images')
    count = min(max(round(share * len(draws)), 1), len(draws) - 1)
    return sorted(draws)[count - 1], dict(train=len(draws) - count, val=count)


def _all_boxes(row: LabelRow, label_map: Mapping[int, str] | None) -> Iterator[tuple]:
    """Iterate over phrase, box, score, ignore flag and place in the record of all boxes."""
    record = row.record
    if 'grounding' in record:
        for i, region in enumerate(record['grounding']['regions']):
            phrase = phrase_text(region['phrase'])
            for j, (box, score) in enumerate(zip(*region_boxes(region))):
                yield phrase, box, score, False, (i, j)
        return
    for i, one in enumerate(record['detection']['instances']):
        name = instance_name(one, label_map)
        if name is None:
            raise ValueError(f"{row.where}: detection.instances[{i}] has the label {one['label']} "
                             'and no category: give the names with --label-map')
        yield name, one['bbox'], one.get('score'), bool(one.get('ignore')), (0, i)


def _score(box: ExportBox) -> float:
    return float('inf') if box.score is None else box.score
