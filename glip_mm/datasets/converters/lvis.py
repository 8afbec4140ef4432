"""LVIS JSON to ODVG records, with the lists of absent and of not exhaustively annotated classes."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from glip_mm.datasets.report import Report

from .box_table import Image, read_container
from .coco import contiguous_labels, detection_records
from .records import Records


def file_name_of(image: dict) -> object:
    """Return the file name in ``coco_url``, the only one that LVIS 1.0 has."""
    url = image.get('coco_url')
    if isinstance(url, str) and '/' in url:
        return '/'.join(url.split('/')[-2:])
    return image.get('file_name')


#: Entry of ``detection`` -> list of an LVIS image: classes it lacks, and those not all marked.
LISTS = {'negatives': 'neg_category_ids', 'not_exhaustive': 'not_exhaustive_category_ids'}


def lists_of(image: dict) -> tuple:
    """Return the category ids that an LVIS image lists, see :data:`LISTS`."""
    return tuple(image.get(key) or () for key in LISTS.values())


def lists_as_labels(labels: Mapping[object, int], image: Image) -> dict[str, list[int]]:
    """Convert the lists of :func:`lists_of` to entries of ``detection``."""
    return {key: sorted(labels[i] for i in set(ids) if i in labels)
            for key, ids in zip(LISTS, image.extra)}  # none if the image has no lists


def lvis_records(ann_file: str | Path, drop_crowd: bool = False, progress: bool = True
                 ) -> Records:
    """Read LVIS annotations.

    File names are the folder and name in ``coco_url``, such as ``train2017/000000391895.jpg``,
    relative to COCO's folder. ``detection`` also holds ``negatives`` and
    ``not_exhaustive``, lists of labels.

    Args:
        ann_file: Path of an LVIS JSON file of any version.
        drop_crowd: Leave out boxes that are marked as crowd or ignored.
        progress: Show progress bars.

    Returns:
        Detection records, labels in ascending order of the category ids.

    Raises:
        ValueError: If the file is not of this format.
    """
    report = Report(str(ann_file))
    container = read_container(ann_file, report, file_name=file_name_of, extra=lists_of,
                               progress=progress)
    labels, label_map = contiguous_labels(container, report)
    return Records(detection_records(container, labels, label_map, report, drop_crowd,
                                     partial(lists_as_labels, labels)),
                   label_map, report.rows_read, report)
