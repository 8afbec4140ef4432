"""OpenImages: CSV files of boxes and of class names, of versions 4 to 7, and FiftyOne's layout.

Datumaro reads the format, too, but knows neither FiftyOne's layout nor files under shortened
names, and loses the place of what it leaves out.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from glip_mm.datasets.coco_file import content_of
from glip_mm.datasets.converters.openimages import (
    ImageSizes,
    box_rows,
    openimages_records,
    openimages_rows,
)
from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.report import Report

from .annotation_files import by_split, files_in, image_folder, root_of, split_in
from .base import Format, Sniffed, SplitFiles

BOXES = ('annotations-bbox.csv', 'annotations-bbox.csv.gz')
CLASSES = ('class-descriptions-boxable.csv', 'class-descriptions.csv')
IMAGE_LABELS = ('imagelabels.csv', 'images-with-labels-with-rotation.csv')


def _box_files(folder: Path) -> dict[str, Path]:
    """Return split -> file of boxes."""
    fiftyone = {split_in(path.parts[-3]) or path.parts[-3]: path for path in sorted(
        root_of(folder).glob('*/labels/detections.csv')) if (path.parents[1] / 'metadata').is_dir()}
    return by_split(files_in(folder, *BOXES)) or (fiftyone if folder.is_dir() else {})


def _class_file(box_file: Path, root: Path) -> Path | None:
    """Find the class names: those of the classes with boxes, if there are several files."""
    found = [*files_in(box_file.parent, *CLASSES), *files_in(root, *CLASSES),
             *sorted(root.glob('metadata/*class-descriptions*.csv')),
             *sorted((box_file.parents[1] / 'metadata').glob('classes.csv'))]
    return next((path for path in found if 'boxable' in path.name), found[0] if found else None)


def sniff(folder: Path) -> Sniffed | None:
    """Guess by the files of boxes, or by those of class names and image-level labels."""
    boxes = _box_files(folder)
    if boxes:
        first = next(iter(boxes.values()))
        names = _class_file(first, root_of(folder))
        return Sniffed(1 if names else .6, f"boxes in '{first.name}', "
                       + (f"class names in '{names.name}'" if names else 'no class names'))
    if folder.is_dir() and files_in(folder, *CLASSES) and files_in(folder, *IMAGE_LABELS):
        return Sniffed(.6, f"'{files_in(folder, *CLASSES)[0].name}', but labels of whole images "
                           'alone')
    return None


def _read(box_file: Path, class_file: Path, images: Path) -> tuple[dict, Report]:
    report = Report(str(box_file))
    rows = openimages_rows(box_file, class_file, ImageSizes(images), report)
    return content_of(rows, box_file, report=report)


def _records(box_file: Path, class_file: Path, images: Path) -> Records:
    return openimages_records(box_file, class_file, ImageSizes(images))


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each file of boxes.

    Raises:
        DataError: If there are no boxes, or no class names.
    """
    found, root = _box_files(folder), root_of(folder)
    if not found:
        raise DataError(f"'{folder}' has labels of whole images, but no file of boxes: fetch "
                        'train-annotations-bbox.csv (or that of your split) into its annotations')
    result = []
    for name, path in found.items():
        class_file = _class_file(path, root)
        if class_file is None:
            raise DataError(f"'{path}' names classes by ids such as /m/011k07: fetch "
                            'class-descriptions-boxable.csv into the folder beside it')
        ids = dict.fromkeys(cells[0] for _, cells in islice(box_rows(path), 20))
        images = image_folder(root, [f'{i}{suffix}' for i in ids
                                     for suffix in ('', '.jpg', '.png')], name)
        result.append(SplitFiles(name, path, images, partial(_read, path, class_file, images),
                                 records=partial(_records, path, class_file, images)))
    return result


FORMAT = Format(
    'openimages', 'OpenImages CSV',
    'annotations/{oidv6-,}{train,validation,test}-annotations-bbox.csv, '
    'annotations/{oidv6-,}class-descriptions{-boxable,}.csv, images in {train,validation,test}/ '
    "or in one folder; or FiftyOne's SPLIT/{data,labels/detections.csv,metadata/classes.csv}",
    sniff, splits)
