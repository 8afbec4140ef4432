"""Drawable samples of labels."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.data_error import read_json
from glip_mm.datasets.transforms.load_image import LoadImage, color_type_of
from glip_mm.pseudo_labels.label_rows import (
    LabelRow,
    LabelRows,
    instance_name,
    phrase_text,
    region_boxes,
)
from glip_mm.pseudo_labels.settings import FILE as SETTINGS
from glip_mm.visualization.dataset_sample import DatasetSample, from_annotation


def choose_rows(total: int, samples: int, seed: int) -> list[int]:
    """Draw row numbers without replacement, in ascending order.

    Raises:
        ValueError: If ``samples`` is not positive.
    """
    if samples < 1:
        raise ValueError(f'--samples {samples} must be at least 1')
    return sorted(random.Random(seed).sample(range(total), min(samples, total)))


def read_samples(rows: LabelRows, numbers: list[int], images: Path | None
                 ) -> Iterator[tuple[LabelRow | None, DatasetSample | str]]:
    """Iterate over rows and samples, or over error messages for those that cannot be read."""
    color_type = labelled_color_type(rows)
    for number in numbers:
        row = None
        try:
            row = rows[number]
            yield row, read_label(row, images, rows.label_map, color_type)
        except (BadSample, ValueError, OSError) as error:
            yield row, str(error)


def labelled_color_type(rows: LabelRows) -> str:
    """Return the ``color_type`` with which the images were loaded when they were labelled."""
    path = rows.files[0].parent.parent / SETTINGS
    if not path.is_file():
        return 'color'
    return color_type_of(read_json(path).get('pipeline', ()))


def read_label(row: LabelRow, images: Path | None, label_map: Mapping[int, str] | None = None,
               color_type: str = 'color') -> DatasetSample:
    """Convert a row to a drawable sample; phrases without a box are part of its prompt.

    Args:
        row: Row of labels.
        images: Root folder of file names.
        label_map: Label -> name, for detection rows.
        color_type: With which the image is loaded, see :func:`labelled_color_type`.

    Raises:
        ValueError: If its image is missing or broken, or of another size than the row says.
    """
    record = row.record
    info = dict(img_path=record['filename'], where=row.where, **_content(record, label_map or {}))
    if row.packed is not None:
        info['img_bytes_ref'] = row.packed
    else:
        info['img_path'] = str(row.image_path(images))
    sample = from_annotation(info, (), LoadImage(color_type=color_type), row.where)
    height, width = sample.image.shape[:2]
    if (height, width) != (record['height'], record['width']):
        raise ValueError(f"{row.where}: the row is about {record['width']} x {record['height']} "
                         f"pixels, but '{info['img_path']}' has {width} x {height}: boxes would be "
                         'in the wrong places')
    return sample


def _content(record: dict, label_map: Mapping[int, str]) -> dict:
    if 'detection' in record:
        instances = record['detection']['instances']
        names = {i['label']: instance_name(i, label_map) or f"label {i['label']}"
                 for i in instances}
        return dict(text=names, instances=[
            dict(bbox=i['bbox'], bbox_label=i['label'], score=i.get('score'),
                 ignore_flag=int(bool(i.get('ignore')))) for i in instances])
    content = record['grounding']
    regions = [*content['regions'], *content.get('without_box', ())]
    instances = [dict(bbox=box, score=score, bbox_label=label)
                 for label, region in enumerate(content['regions'])
                 for box, score in zip(*region_boxes(region))]
    return dict(text=content['caption'], instances=instances, phrases={
        label: dict(phrase=phrase_text(region['phrase']), tokens_positive=region['tokens_positive'])
        for label, region in enumerate(regions)})
