"""COCO JSON to ODVG records: COCO, Objects365, V3Det, ODinW and other exports of that format."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from glip_mm.datasets.boxes import fit_box
from glip_mm.datasets.coco_file import FORMAT, NO_CATEGORY, PLACEHOLDER, placeholder
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.image_size import size_below
from glip_mm.datasets.report import Report

from .box_table import Container, Image, read_container
from .objects365 import Release, corrected
from .records import Records
from .text_file import captions_hint

CROWD = 'crowd box'


def contiguous_labels(container: Container, report: Report,
                      keeps_group: Callable[[Sequence[dict]], bool] = lambda categories: False
                      ) -> tuple[dict[object, int], dict[int, str]]:
    """Assign labels 0, 1, ... in ascending order of the category ids, which may have gaps.

    Args:
        container: Content of the annotation file.
        report: Report that counts a category that is no class.
        keeps_group: Function from the categories to whether the first is a class although it
            groups the others and has no boxes here.

    Returns:
        Category id -> label, and label -> name.

    Raises:
        ValueError: If there is no category.
    """
    categories = sorted(container.categories, key=lambda row: row['id'])
    if not categories:
        raise DataError(f"'{report.source}' has no 'categories': {FORMAT}")
    group = placeholder(categories, container.table.names)
    if group is not None and not keeps_group(categories):
        report.change(PLACEHOLDER, f"'{categories[0]['name']}'")
        categories = categories[1:]
    return ({row['id']: label for label, row in enumerate(categories)},
            {label: row['name'] for label, row in enumerate(categories)})


def detection_records(container: Container, labels: Mapping[object, int],
                      label_map: Mapping[int, str], report: Report, drop_crowd: bool = False,
                      more: Callable[[Image], dict] = lambda image: {}) -> Iterator[dict]:
    """Iterate over the records of all images; those without boxes serve as negatives.

    Args:
        container: Content of the annotation file.
        labels: Category id -> label.
        label_map: Label -> name.
        report: Report that is filled during the iteration.
        drop_crowd: Leave crowd boxes out instead of marking them to be ignored.
        more: Function from an image to further entries of ``detection``.

    Yields:
        ODVG detection records.
    """
    for image in container.images:
        instances = []
        for box in container.table.of(image.number):
            label = labels.get(box.category)
            if label is None:
                report.drop(NO_CATEGORY, box.where)
                continue
            if box.ignore and drop_crowd:
                report.drop(CROWD, box.where)
                continue
            bbox = fit_box(box.x, box.y, box.x + box.w, box.y + box.h, image.width, image.height,
                           report, box.where)
            if bbox is None:
                continue
            instance = dict(bbox=bbox, label=label, category=label_map[label])
            if box.ignore:
                instance['ignore'] = 1
                report.change('crowd box marked to be ignored', box.where)
            instances.append(instance)
        report.rows_written += 1
        report.boxes_written += len(instances)
        yield dict(filename=image.file_name, height=image.height, width=image.width,
                   image_id=image.image_id, detection=dict(instances=instances, **more(image)))


def coco_records(ann_file: str | Path, drop_crowd: bool = False, release: Release | None = None,
                 images: str | Path | None = None, progress: bool = True,
                 keeps_group: Callable[[Sequence[dict]], bool] = lambda categories: False
                 ) -> Records:
    """Read COCO detection annotations.

    The file is streamed once; about 60 bytes per box and 400 bytes per image are kept.

    Args:
        ann_file: Path of the COCO JSON file.
        drop_crowd: Leave crowd boxes out. By default they are marked with ``ignore: 1``, which
            MMDetection's readers ignore.
        release: Published data set with habits of its own, see :mod:`.objects365`; default: the
            one whose images are listed.
        images: Folder that file names start from, if known.
        progress: Show progress bars.
        keeps_group: See :func:`contiguous_labels`.

    Returns:
        Detection records, labels in ascending order of the category ids.

    Raises:
        ValueError: If the file is not of this format.
    """
    report = Report(str(ann_file))
    try:
        container = read_container(
            ann_file, report, progress=progress,
            sizes=None if images is None else partial(size_below, images),
            corrected=partial(corrected, report=report, release=release, images=images))
        labels, label_map = contiguous_labels(container, report, keeps_group)
    except DataError as error:
        raise DataError(f'{error}{captions_hint(ann_file)}') from None
    return Records(detection_records(container, labels, label_map, report, drop_crowd), label_map,
                   report.rows_read, report)
