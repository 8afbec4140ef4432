"""Label Studio: its JSON and JSON-MIN exports. (Its COCO and YOLO exports are COCO and YOLO.)

Read here, as neither supervision 0.31 nor datumaro 1.13 reads it.

Regions are percent of the image; any outline becomes the box around it. A task that nobody has
finished says nothing about its image and is left out, but an annotation without regions is an
image without objects. Of several annotations of a task the first is used.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from glip_mm.datasets.boxes import MALFORMED
from glip_mm.datasets.coco_file import plain_number
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.datasets.report import Report
from glip_mm.image_suffixes import is_image
from glip_mm.text.names import is_blank

from .base import Format, Sniffed, SplitFiles, split_name
from .image_annotations import (
    OUTLINE,
    ROTATED,
    Annotated,
    Box,
    Drawn,
    Found,
    Images,
    head,
    hull,
    in_order,
    names_in,
    split_files,
    turned,
)

UNFINISHED = 'task without a finished annotation'
SEVERAL = 'task with several annotations, of which the first is used'
UNLABELLED = 'region without a label'
BRUSH = 'region of a brush, whose box is not in the file'
NO_TASK = 'entry that is no task with an image'
LAYOUT = ('the .json file of the export JSON or JSON-MIN, and the images anywhere below its '
          'folder under their names (with or without the prefix of an upload)')
#: Kinds of regions that have a place in the image.
_PLACED = ('rectangle', 'polygon', 'ellipse', 'brush', 'keypoint')
_PREFIX = re.compile('[0-9a-f]{8}-')


class Region(NamedTuple):
    """Region of an image, as both exports have it."""

    value: Mapping
    labels: list
    width: float | None
    height: float | None


def image_names(url: str) -> list[str]:
    """Return the paths that an image of a task may have, the most exact first.

    Example:
        >>> image_names('/data/upload/1/0a1b2c3d-a%20b.jpg')
        ['/data/upload/1/0a1b2c3d-a b.jpg', '/data/upload/1/a b.jpg']
        >>> image_names('/data/local-files/?d=photos/a.jpg')
        ['photos/a.jpg']
    """
    url = url.strip()
    if url.startswith('data:'):
        return []
    parts = urlsplit(url.replace('\\', '/'))
    local = parse_qs(parts.query).get('d')
    if local:
        return [local[0].replace('\\', '/')]
    is_url = len(parts.scheme) > 1 or url.startswith('/data/')
    name = unquote(parts.path) if is_url else url.replace('\\', '/')
    folder, slash, base = name.rpartition('/')
    return [name, f'{folder}{slash}{base[9:]}'] if _PREFIX.match(base) else [name]


def _result_regions(result: Iterable) -> Iterator[Region]:
    """Return the regions of an annotation: entries of the same id are one region."""
    found: dict[Any, Region] = {}
    for number, entry in enumerate(result):
        if not isinstance(entry, dict) or not isinstance(value := entry.get('value'), dict):
            continue
        kind = str(entry.get('type', ''))
        labels: list = next((value[key] for key in (kind, 'labels') if kind.endswith('labels')
                             and isinstance(value.get(key), list)), [])
        placed = any(key in value for key in ('x', 'points', 'rle', 'sequence'))
        if not placed:
            continue
        key = entry.get('id', number)
        region = found.setdefault(key if isinstance(key, (str, int)) else number, Region(
            value, [], plain_number(entry.get('original_width')),
            plain_number(entry.get('original_height'))))
        region.labels.extend(labels)
    yield from found.values()


def _min_regions(task: Mapping) -> Iterator[Region]:
    """Return the regions of a task of JSON-MIN: values of lists under any name."""
    for values in task.values():
        for value in values if isinstance(values, list) else ():
            if isinstance(value, dict) and ('original_width' in value or any(
                    f'{kind}labels' in value for kind in _PLACED)):
                labels: list = next((value[key] for key in value if key.endswith('labels')
                                     and isinstance(value[key], list)), [])
                yield Region(value, labels, plain_number(value.get('original_width')),
                             plain_number(value.get('original_height')))


def _numbers(value: Mapping, *keys: str) -> list[float]:
    numbers = [number for key in keys if (number := plain_number(value.get(key))) is not None]
    return numbers if len(numbers) == len(keys) else []


def _box(value: Mapping, width: float, height: float) -> tuple[Box | None, str]:
    """Return the box around a region in pixels, and how it came about."""
    rotation = plain_number(value.get('rotation')) or 0.
    sx, sy = width / 100, height / 100
    if isinstance(value.get('points'), list):
        points = [[plain_number(one) for one in point] for point in value['points']
                  if isinstance(point, list) and len(point) == 2]
        if len(points) < len(value['points']):
            return None, ''
        return hull((x * sx, y * sy) for x, y in points
                    if x is not None and y is not None), OUTLINE
    if ellipse := _numbers(value, 'x', 'y', 'radiusX', 'radiusY'):
        x, y, rx, ry = ellipse
        angle = math.radians(rotation)
        a, b = rx * sx, ry * sy
        w = math.hypot(a * math.cos(angle), b * math.sin(angle))
        h = math.hypot(a * math.sin(angle), b * math.cos(angle))
        return hull([(x * sx - w, y * sy - h), (x * sx + w, y * sy + h)]), OUTLINE
    if box := _numbers(value, 'x', 'y', 'width', 'height'):
        x, y, w, h = box
        # turned around the upper left corner
        return (turned(x * sx, y * sy, w * sx, h * sy, rotation, (x * sx, y * sy)),
                ROTATED if rotation else '')
    return None, ''


class _Task(NamedTuple):
    where: str
    images: list[str]
    regions: list[Region] | None
    several: bool


def read_tasks(path: Path) -> list[_Task | str]:
    """Read an export; a text in place of a task is the place of what is none.

    Raises:
        DataError: If it is no JSON list of tasks.
    """
    content = read_json(path)
    if isinstance(content, dict):
        content = content.get('tasks', [content])
    if not isinstance(content, list):
        raise DataError(f"'{path}' is no list of tasks: export it as JSON or JSON-MIN")
    tasks: dict[object, _Task | str] = {}
    for number, task in enumerate(content):
        where = f'{path} task {task.get("id", number) if isinstance(task, dict) else number}'
        urls = _urls(task) if isinstance(task, dict) else []
        if not urls:
            tasks[number, None] = where
            continue
        names = [name for url in urls for name in image_names(url)]
        if 'data' not in task:
            # JSON-MIN has an entry for each annotation
            key = str(task.get('id')), urls[0]
            first = tasks.get(key)
            tasks[key] = (first._replace(several=True) if isinstance(first, _Task) else
                          _Task(where, names, list(_min_regions(task)), False))
            continue
        annotations = task.get('annotations', task.get('completions'))
        done = [one for one in (annotations if isinstance(annotations, list) else ())
                if isinstance(one, dict) and not (one.get('was_cancelled') or one.get('skipped'))
                and isinstance(one.get('result'), list)]
        tasks[number, None] = _Task(where, names, list(_result_regions(done[0]['result']))
                                    if done else None, len(done) > 1)
    return list(tasks.values())


def _urls(task: Mapping) -> list[str]:
    """Return what may be the image of a task: the field of that name first."""
    data = task.get('data', task)
    if not isinstance(data, dict):
        return []
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    urls = [value for key, value in sorted(texts.items(), key=lambda item: item[0] != 'image')
            if key == 'image' or any(map(is_image, image_names(value)))]
    upload = task.get('file_upload')
    return urls[:1] + ([upload] if urls and isinstance(upload, str) else [])


class _Folder:
    """Exports of a folder, each parsed once for all splits."""

    def __init__(self, path: Path) -> None:
        self.source = path
        self.images = Images(path.parent if path.is_file() else path)
        files = [path] if path.is_file() else _exports(path)
        if len(files) == 1:
            self.source = files[0]
        self.tasks: dict[str, list[_Task | str]] = {}
        for file in files:
            name = '' if len(files) == 1 else split_name(file.stem) or file.stem
            self.tasks.setdefault(name, []).extend(read_tasks(file))

    @cached_property
    def classes(self) -> list[str]:
        return sorted({str(label) for tasks in self.tasks.values() for task in tasks
                       if isinstance(task, _Task) for region in task.regions or ()
                       for label in region.labels if not is_blank(str(label))})

    def items(self, split: str, report: Report) -> Iterator[Annotated]:
        for task in self.tasks[split]:
            if isinstance(task, str):
                report.rows_read += 1
                report.drop(NO_TASK, task)
                continue
            if task.regions is None:
                report.rows_read += 1
                report.drop(UNFINISHED, task.where)
                continue
            if task.several:
                report.change(SEVERAL, task.where)
            yield self._annotated(task, task.regions, report)

    def _annotated(self, task: _Task, regions: list[Region], report: Report) -> Annotated:
        image = self._find(task.images)
        if image is None:
            return Annotated(task.where, None, [Drawn(task.where, None, None)] * len(regions))
        size = next(((region.width, region.height) for region in regions
                     if region.width and region.height), None)
        if size is None:
            size = self.images.size(image.name)
        boxes = []
        for i, region in enumerate(regions):
            where = f'{task.where} region {i}'
            box, how = _box(region.value, *size) if size else (None, '')
            if box is None or not region.labels:
                report.boxes_read += 1
                report.drop(BRUSH if 'rle' in region.value else
                            MALFORMED if region.labels else UNLABELLED, where)
                continue
            if how:
                report.change(how, where)
            boxes += [Drawn(where, str(label), box) for label in region.labels]
        width, height = size or (None, None)
        return Annotated(task.where, image, boxes, width, height)

    def _find(self, names: Iterable[str]) -> Found | None:
        return next((found for name in names if (found := self.images.find(name, ''))), None)


def _is_export(path: Path) -> bool:
    text = head(path)
    tasks = b'"annotations"' in text or b'"completions"' in text or b'"predictions"' in text
    return (tasks and b'"data"' in text and (b'"result"' in text or b'"total_annotations"' in text)
            or b'"annotation_id"' in text and b'"lead_time"' in text
            or b'"original_width"' in text and b'labels"' in text)


def _exports(folder: Path) -> list[Path]:
    return [folder / name for name in names_in(folder, ('.json',)) if _is_export(folder / name)]


def sniff(folder: Path) -> Sniffed | None:
    """Look for a JSON file with tasks."""
    if folder.is_file():
        exports = [folder] if folder.suffix.lower() == '.json' and _is_export(folder) else []
    else:
        exports = _exports(folder)
    return Sniffed(1., f"'{exports[0].name}' with tasks of Label Studio") if exports else None


def splits(folder: Path) -> list[SplitFiles]:
    """Return the splits of a folder with an export, or of its file."""
    studio = _Folder(folder)
    return [split_files(name, studio.source, studio.images, partial(studio.items, name),
                        lambda: studio.classes)
            for name in in_order(studio.tasks)]


FORMAT = Format('label_studio', 'Label Studio (JSON, JSON-MIN)', LAYOUT, sniff, splits)
