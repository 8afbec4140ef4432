"""ODVG records of a split of any format, and the way back to the content of a COCO-format file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from glip_mm.datasets.coco_file import Placed, content_of
from glip_mm.datasets.converters.box_table import fill_container
from glip_mm.datasets.converters.coco import coco_records, contiguous_labels, detection_records
from glip_mm.datasets.converters.lvis import LISTS, lists_as_labels, lists_of
from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.report import WITH_ITS_ROW, Report

from .base import SplitFiles

#: Why rows of phrases have no ``read``.
NO_CLASSES = ('holds captions with boxes of phrases and no classes: train on it with '
              'GroundingDataset, or convert it; fine-tuning and testing on classes need a '
              'detection data set')


def records_of(split: SplitFiles) -> Records:
    """Return the ODVG records of a split, whatever its format.

    Raises:
        DataError: If the split has no boxes, or cannot be read.
    """
    if split.records is not None:
        records = split.records()
        if split.holds != 'boxes' or records.label_map is not None:
            return records
        # without a label map, the names are those of all boxes
    if split.is_coco:
        return coco_records(split.source, images=split.images, progress=False,
                            keeps_group=split.keeps_group)
    return content_records(*split.read(), split.keeps_group)


def unpacked(split: SplitFiles, folder: str | Path) -> SplitFiles:
    """Write images that lie inside other files to a folder; return the split that has them there.

    A split whose images are files is returned as it is.
    """
    if split.unpack is None:
        return split
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    split.unpack(folder)
    return replace(split, images=folder, unpack=None)


def content_records(content: Mapping[str, Iterable[dict]], report: Report,
                    keeps_group: Callable[[Sequence[dict]], bool] = lambda categories: False
                    ) -> Records:
    """Convert the content of a COCO-format file to detection records.

    Args:
        content: Content from ``SplitFiles.read``.
        report: Its report, which goes on counting.
        keeps_group: See :class:`.base.SplitFiles`.
    """
    rows = ((section, f'{section}[{i}]', row) for section, found in content.items()
            for i, row in enumerate(found))
    lists = any(LISTS['negatives'] in image for image in content['images'])
    container = fill_container(rows, report, lists_of if lists else lambda image: ())
    labels, label_map = contiguous_labels(container, report, keeps_group)
    report.rows_written = report.boxes_written = 0
    records = detection_records(container, labels, label_map, report,
                                more=partial(lists_as_labels, labels))
    return Records(records, label_map, report.rows_read, report)


def content_of_records(records: Records, source: str | Path) -> tuple[dict, Report]:
    """Convert detection records to the content of a COCO-format file.

    Category ids are labels plus one. An image that comes again (lists that repeat rare classes)
    is taken once.

    Args:
        records: Detection records, of boxes that may be bad.
        source: What they were read from, for messages.

    Raises:
        DataError: If a box has neither a label of the label map nor a class name, or none can be
            used.
    """
    names: dict[int, str] = dict(records.label_map or {})
    by_name = {name: label for label, name in names.items()}

    def label_of(one: dict, where: str) -> Any:
        label, name = one.get('label'), one.get('category')
        if records.label_map is not None:  # others are counted as boxes of no listed category
            return label if type(label) is int and label in names else None
        if not isinstance(name, str):
            raise DataError(f"{where}: label {label!r} has no name: there is no label map beside "
                            "the file, and no 'category' in the box; write LABELS_label_map.json, "
                            '{"0": "name", ...}, beside LABELS.jsonl')
        if type(label) is not int:
            label = by_name.setdefault(name, len(by_name))
        if names.setdefault(label, name) != name:
            raise DataError(f"{where}: label {label} is that of '{names[label]}' and '{name}': "
                            'give each class a label of its own')
        return label

    def rows() -> Iterator[Placed]:
        seen = set()
        for number, record in enumerate(records):
            where = f'row {number}'
            detection, name = record['detection'], record['filename']
            if name in seen:
                records.report.drop('row of an image that came before', where)
                records.report.drop(WITH_ITS_ROW, where, len(detection['instances']))
                continue
            seen.add(name)
            lists = {theirs: [label + 1 for label in detection[ours] if type(label) is int]
                     for ours, theirs in LISTS.items()
                     if isinstance(detection.get(ours), list)}
            yield 'images', where, dict(id=number, file_name=name, width=record.get('width'),
                                        height=record.get('height'), **lists)
            for i, one in enumerate(detection['instances']):
                place = f'{where} instance {i}'
                if not isinstance(one, dict):
                    yield 'annotations', place, one  # counted by the reader
                    continue
                box: Any = one.get('bbox')
                label = label_of(one, place)
                try:
                    x1, y1, x2, y2 = box
                    box = [x1, y1, x2 - x1, y2 - y1]
                except (TypeError, ValueError):
                    pass
                yield 'annotations', place, dict(
                    image_id=number, bbox=box, iscrowd=one.get('ignore'),
                    category_id=None if label is None else label + 1,
                    **({'score': one['score']} if 'score' in one else {}))
        for label in sorted(names):
            yield 'categories', f'label {label}', dict(id=label + 1, name=names[label])
        # boxes and rows that an earlier step left out are counted there
        earlier = records.report
        report.rows_read = max(report.rows_read, earlier.rows_read)
        report.boxes_read = max(report.boxes_read, earlier.boxes_read)
        report.dropped.update(earlier.dropped)
        report.changed.update(earlier.changed)
        report.examples.update(earlier.examples)

    report = Report(str(source))
    return content_of(rows(), source, report=report)


def refusing(message: str) -> Callable[[], NoReturn]:
    """Return the ``read`` or ``records`` of a split that cannot be used for that."""
    def refuse() -> NoReturn:
        raise DataError(message)
    return refuse
