"""VOC XML to ODVG records: PASCAL VOC, exports of labelling tools, the boxes of ImageNet."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glip_mm.datasets.boxes import MALFORMED, fit_box, four_numbers
from glip_mm.datasets.report import Report

from .records import Records

VOC_CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair',
               'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant',
               'sheep', 'sofa', 'train', 'tvmonitor')
BAD_XML = 'XML file that cannot be parsed'
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
    for number, line in enumerate(Path(path).read_text(encoding='utf-8-sig').splitlines(), 1):
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
    return [annotations / f'{line.split()[0]}.xml'
            for line in listing.read_text(encoding='utf-8').splitlines() if line.split()]


def _gather_classes(paths: Sequence[Path]) -> dict[str, str]:
    names: set[str] = set()
    for path in paths:
        try:
            tree = ElementTree.parse(path)
        except (ElementTree.ParseError, OSError):
            continue  # counted when the records are made
        names.update((element.findtext('name') or '').strip() for element in tree.iter('object'))
    return {name: name for name in sorted(names - {''})}


def _corner(text: str | None) -> float | None:
    try:
        return float(text or '')
    except ValueError:
        return None


def _box(element: ElementTree.Element, first_pixel: int
         ) -> tuple[float, float, float, float] | None:
    """Convert inclusive pixels counted from ``first_pixel`` to half-open pixels counted from 0."""
    corners = four_numbers([_corner(element.findtext(f'bndbox/{name}'))
                            for name in ('xmin', 'ymin', 'xmax', 'ymax')])
    if corners is None:
        return None
    x1, y1, x2, y2 = corners
    return x1 - first_pixel, y1 - first_pixel, x2 - first_pixel + 1, y2 - first_pixel + 1


def _record(path: Path, root: ElementTree.Element, name: str, size: tuple[int, int],
            labels: Mapping[str, int], names: Mapping[str, str], first_pixel: int,
            report: Report) -> dict:
    height, width = size
    instances = []
    for i, element in enumerate(root.iter('object')):
        where = f'{path} object {i}'
        report.boxes_read += 1
        key = (element.findtext('name') or '').strip()
        if key not in labels:
            report.drop(UNKNOWN_CLASS, f'{where} ({key!r})')
            continue
        corners = _box(element, first_pixel)
        if corners is None:
            report.drop(MALFORMED, where)
            continue
        bbox = fit_box(*corners, width, height, report, where)
        if bbox is None:
            continue
        instance = dict(bbox=bbox, label=labels[key], category=names[key])
        if (element.findtext('difficult') or '0').strip() == '1':
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
            root = ElementTree.parse(path).getroot()
        except FileNotFoundError:
            report.drop('XML file that is listed but missing', str(path))
            continue
        except (ElementTree.ParseError, OSError) as error:
            report.drop(BAD_XML, f'{path}: {error}')
            continue
        height, width = (_corner(root.findtext(f'size/{side}')) for side in ('height', 'width'))
        if height is None or width is None or not (height >= 1 and width >= 1):
            report.drop(NO_SIZE, str(path))
            continue
        if suffix is None:
            name = (root.findtext('filename') or '').strip() or f'{path.stem}.jpg'
        else:
            name = path.relative_to(base).with_suffix(suffix).as_posix()
        if image_folder:
            name = f"{image_folder.rstrip('/')}/{name}"
        yield _record(path, root, name, (int(height), int(width)), labels, classes,
                      first_pixel, report)


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
