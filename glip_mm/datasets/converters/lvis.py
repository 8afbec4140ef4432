"""LVIS JSON to ODVG records, with the lists of absent and of not exhaustively annotated classes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from glip_mm.datasets.report import Report

from .box_table import Image, read_container
from .coco import contiguous_labels, detection_records
from .records import Records


def _file_name(image: dict) -> object:
    """Return the file name in ``coco_url``, the only one that LVIS 1.0 has."""
    url = image.get('coco_url')
    if isinstance(url, str) and '/' in url:
        return '/'.join(url.split('/')[-2:])
    return image.get('file_name')


def _labels(ids: Iterable[object], labels: Mapping[object, int]) -> list[int]:
    return sorted(labels[i] for i in set(ids) if i in labels)


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
    container = read_container(
        ann_file, report, file_name=_file_name, progress=progress,
        extra=lambda image: (image.get('neg_category_ids') or (),
                             image.get('not_exhaustive_category_ids') or ()))
    labels, label_map = contiguous_labels(container, report)

    def more(image: Image) -> dict:
        negatives, not_exhaustive = image.extra
        return dict(negatives=_labels(negatives, labels),
                    not_exhaustive=_labels(not_exhaustive, labels))

    return Records(detection_records(container, labels, label_map, report, drop_crowd, more),
                   label_map, report.rows_read, report)
