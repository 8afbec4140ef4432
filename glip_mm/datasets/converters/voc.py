"""VOC XML to ODVG records: PASCAL VOC, exports of labelling tools, the boxes of ImageNet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glip_mm.datasets.boxes import MALFORMED, fit_box
from glip_mm.datasets.data_error import DataError, read_text
from glip_mm.datasets.formats.voc import (
    MISSING_XML,
    OTHER_XML,
    VOCFile,
    half_open,
    listed_names,
    read_voc_file,
)
from glip_mm.datasets.formats.xml_file import BAD_XML
from glip_mm.datasets.report import Report

from .records import Records

VOC_CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair',
               'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant',
               'sheep', 'sofa', 'train', 'tvmonitor')
NO_SIZE = 'XML file without the size of its image'
UNKNOWN_CLASS = 'box of a class that is not listed'


def read_classes(path: str | Path, synsets: bool = False) -> dict[str, str]:
    """Read a list of classes.

    Args:
        path: File with one class name per line; with ``synsets`` an id, then names separated by
            commas, of which the first is used, as in ImageNet's ``LOC_synset_mapping.txt``.
        synsets: Whether lines begin with an id.

    Returns:
        Name of the class in annotations -> its class name, in the order of the file.

    Raises:
        ValueError: If the file is empty or a class is not unique.
    """
    classes: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        key, _, names = line.strip().partition(' ') if synsets else (line.strip(), '', line)
        if key in classes:
            raise ValueError(f"'{path}' line {number}: class {key!r} comes twice: keep one")
        classes[key] = names.split(',')[0].strip() if synsets else key
    if not classes:
        raise ValueError(f"'{path}' names no class: write one a line")
    return classes


def find_xml(folder: str | Path, split: str | None = None) -> list[Path]:
    """Find the annotation files of a VOC folder.

    Args:
        folder: Folder with ``Annotations`` in it, or any folder with XML files in or below it.
        split: Name of a list in ``ImageSets/Main``, such as ``trainval``.

    Returns:
        Paths in the order of the list, or sorted.

    Raises:
        FileNotFoundError: If the list or the XML files are missing.
    """
    folder = Path(folder)
    annotations = folder / 'Annotations' if (folder / 'Annotations').is_dir() else folder
    if split is None:
        paths = sorted(annotations.rglob('*.xml'))
        if not paths:
            raise FileNotFoundError(f"no XML file in or below '{annotations}': give the folder "
                                    "that holds 'Annotations', or the XML files")
        return paths
    listing = folder / 'ImageSets' / 'Main' / f'{split}.txt'
    if not listing.is_file():
        there = sorted(path.stem for path in listing.parent.glob('*.txt') if '_' not in path.stem)
        raise FileNotFoundError(f"'{listing}' is missing: splits there are {there}")
    return [annotations / f'{name}.xml' for name in listed_names(listing)]


def _gather_classes(paths: Sequence[Path]) -> dict[str, str]:
    names: set[str] = set()
    for path in paths:
        try:
            content = read_voc_file(path)
        except (DataError, OSError):
            continue  # counted when the records are made
        names.update(drawn.name for drawn in (content.objects if content else ()))
    return {name: name for name in sorted(names - {''})}


def _record(path: Path, content: VOCFile, name: str, size: tuple[int, int],
            labels: Mapping[str, int], names: Mapping[str, str], first_pixel: int,
            report: Report) -> dict:
    height, width = size
    instances = []
    for i, (key, corners, difficult) in enumerate(content.objects):
        where = f'{path} object {i}'
        report.boxes_read += 1
        if key not in labels:
            report.drop(UNKNOWN_CLASS, f'{where} ({key!r})')
            continue
        if corners is None:
            report.drop(MALFORMED, where)
            continue
        box = half_open(corners, (-first_pixel, 1 - first_pixel))
        bbox = fit_box(*box, width, height, report, where)
        if bbox is None:
            continue
        instance = dict(bbox=bbox, label=labels[key], category=names[key])
        if difficult:
            instance['ignore'] = 1
            report.change('difficult box marked to be ignored', where)
        instances.append(instance)
    report.rows_written += 1
    report.boxes_written += len(instances)
    return dict(filename=name, height=height, width=width, detection=dict(instances=instances))


def _names(classes: Mapping[str, str]) -> list[str]:
    """List the names by label. Ids with the same name share a label, as a prompt needs it."""
    return list(dict.fromkeys(classes.values()))


def _records(paths: Sequence[Path], base: Path, suffix: str | None, image_folder: str,
             classes: Mapping[str, str], first_pixel: int, report: Report) -> Iterator[dict]:
    label_of = {name: label for label, name in enumerate(_names(classes))}
    labels = {key: label_of[name] for key, name in classes.items()}
    for path in paths:
        report.rows_read += 1
        try:
            content = read_voc_file(path, report)
        except FileNotFoundError:
            report.drop(MISSING_XML, str(path))
            continue
        except (DataError, OSError) as error:
            report.drop(BAD_XML, str(error))
            continue
        if content is None or content.height is None or content.width is None:
            report.drop(NO_SIZE if content else OTHER_XML, str(path))
            continue
        if suffix is None:
            name = content.filename or f'{path.stem}.jpg'
        else:
            name = path.relative_to(base).with_suffix(suffix).as_posix()
        if image_folder:
            name = f"{image_folder.rstrip('/')}/{name}"
        size = int(content.height), int(content.width)
        yield _record(path, content, name, size, labels, classes, first_pixel, report)


def voc_records(folder: str | Path, split: str | None = None,
                classes: Mapping[str, str] | None = None, suffix: str | None = None,
                image_folder: str = '', first_pixel: int = 1) -> Records:
    """Read VOC annotations, one XML file per image.

    VOC counts pixels from 1 and its boxes include their last pixel: ``xmin = 1, xmax = 10`` is
    ``[0, 10]`` here. Difficult boxes are marked with ``ignore: 1``.

    Args:
        folder: Folder with ``Annotations`` in it, or with XML files in or below it.
        split: Name of a list in ``ImageSets/Main``.
        classes: Name of a class in annotations -> its class name, in label order, see
            :func:`read_classes`; default: the names in the files, sorted. Classes with the same
            name share a label.
        suffix: Suffix of the image, which has the XML file's relative path (``.JPEG`` for
            ImageNet); default: the image is the one that the XML file names.
        image_folder: Prefix of all file names, such as ``JPEGImages``.
        first_pixel: Index of the first pixel: 1, or 0 for some labelling tools.

    Returns:
        Detection records.

    Raises:
        FileNotFoundError: If there are no annotations.
        ValueError: If the files name no class.
    """
    paths = find_xml(folder, split)
    base = Path(folder) / 'Annotations'
    classes = dict(classes) if classes else _gather_classes(paths)
    if not classes:
        raise ValueError(f"no object in the XML files of '{folder}' has a name: give the classes")
    report = Report(str(folder))
    records = _records(paths, base if base.is_dir() else Path(folder), suffix, image_folder,
                       classes, first_pixel, report)
    return Records(records, dict(enumerate(_names(classes))), len(paths), report)
