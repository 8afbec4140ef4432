"""LVIS JSON to ODVG records, with the lists of what is surely absent or not fully annotated."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from .box_table import Image, read_container
from .coco import contiguous_labels, detection_records
from .conversion_report import Report
from .records import Records


def _file_name(image: dict) -> object:
    """LVIS 1.0 names its images by their address alone: ``.../train2017/000000000009.jpg``."""
    url = image.get('coco_url')
    if isinstance(url, str) and '/' in url:
        return '/'.join(url.split('/')[-2:])
    return image.get('file_name')


def _labels(ids: Iterable[object], labels: Mapping[object, int]) -> list[int]:
    return sorted(labels[i] for i in set(ids) if i in labels)


def lvis_records(ann_file: str | Path, drop_crowd: bool = False, progress: bool = True
                 ) -> Records:
    """Read LVIS annotations.

    File names are the folder and name of ``coco_url``, such as ``train2017/000000391895.jpg``, to
    be looked up in the folder of COCO. ``detection`` also holds ``negatives`` and
    ``not_exhaustive``, lists of labels.

    Args:
        ann_file: LVIS JSON of any version.
        drop_crowd: Leave boxes out that are marked as crowd or to be ignored.
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
    labels, label_map = contiguous_labels(container.categories, ann_file)

    def more(image: Image) -> dict:
        negatives, not_exhaustive = image.extra
        return dict(negatives=_labels(negatives, labels),
                    not_exhaustive=_labels(not_exhaustive, labels))

    return Records(detection_records(container, labels, label_map, report, drop_crowd, more),
                   label_map, report.rows_read, report)
