"""Pascal VOC: an XML file per image, of the challenges and of labelling tools.

Read here and not by a library: supervision 0.31 decodes each picture to read its annotation,
knows neither lists of splits nor ``difficult``, ends at the first object without a box, and brings
some 430 MB of packages; datumaro 1.13 pins pandas 2, PyArrow 25 and Pillow 12.

VOC counts pixels from 1, and boxes include their last pixel: 1 to 10 is ``[0, 10)``. Tools that
count from 0 (makesense, and datumaro by default) write ``x`` and ``x + width``, so 0 to 10 is the
same box. A corner at 0 gives them away: the whole folder is read so, and the report says it.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from posixpath import basename, dirname, join, splitext
from typing import NamedTuple
from xml.etree.ElementTree import Element

from glip_mm.datasets.coco_file import plain_flag, plain_number
from glip_mm.datasets.data_error import LEGACY, DataError, read_text
from glip_mm.datasets.report import Report
from glip_mm.image_suffixes import is_image
from glip_mm.text.names import is_blank

from .base import Format, Sniffed, SplitFiles, split_name
from .image_annotations import (
    Annotated,
    Drawn,
    Images,
    by_split,
    guess,
    in_order,
    peek,
    split_files,
    walk,
)
from .xml_file import BAD_XML, begins_with, read_xml

MISSING_XML = 'XML file that is listed but missing'
OTHER_XML = 'XML file of another kind'
FROM_ZERO = 'folder whose boxes are edges counted from 0 and not pixels from 1, as one at 0 shows'
LAYOUT = ('Annotations/*.xml, JPEGImages/ and, if divided, ImageSets/Main/{train,val,test}.txt '
          '(also below VOCdevkit/VOC2012); or .xml files beside their images, in one folder or in '
          'train/, valid/ and test/')


class Corners(NamedTuple):
    """``xmin``, ``ymin``, ``xmax`` and ``ymax`` as in the file."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class VOCObject(NamedTuple):
    """Object of a VOC file; ``corners`` is None without four numbers."""

    name: str
    corners: Corners | None
    difficult: bool


class VOCFile(NamedTuple):
    """Content of a VOC file; sizes are None where it has no positive number."""

    folder: str
    filename: str
    width: float | None
    height: float | None
    objects: Sequence[VOCObject]


def read_voc_file(path: str | Path, report: Report | None = None) -> VOCFile | None:
    """Read a VOC file.

    Args:
        path: Path of the file.
        report: Report that counts corrections.

    Returns:
        Content; None if it is XML of another kind.

    Raises:
        FileNotFoundError: If it is missing.
        DataError: If it cannot be parsed.
    """
    root = read_xml(path, report.change if report else None)
    if root.tag != 'annotation':
        return None

    objects = []
    for element in root.iter('object'):
        # direct children only: parts of an object have boxes, too
        fields, sides = _texts(element), _texts(element.find('bndbox'))
        corners = [number for key in Corners._fields
                   if (number := plain_number(sides.get(key))) is not None]
        objects.append(VOCObject(fields.get('name', ''),
                                 Corners(*corners) if len(corners) == 4 else None,
                                 bool(plain_flag(fields.get('difficult')))))
    fields, size = _texts(root), _texts(root.find('size'))
    width, height = (side if (side := plain_number(size.get(key))) and side >= 1 else None
                     for key in ('width', 'height'))
    return VOCFile(fields.get('folder', ''), fields.get('filename', ''), width, height, objects)


def _texts(element: Element | None) -> dict[str, str]:
    """Return the texts of an element's children by their tag, the first of each."""
    if element is None:
        return {}
    return {child.tag: (child.text or '').strip() for child in reversed(element)}


def half_open(corners: Corners, offsets: tuple[int, int]) -> tuple[float, float, float, float]:
    """Convert corners to half-open pixels counted from 0.

    Args:
        corners: Corners as in the file.
        offsets: What to add to the first and to the last corner: ``(-1, 0)`` for pixels counted
            from 1, ``(0, 1)`` from 0, ``(0, 0)`` for edges.
    """
    first, last = offsets
    return (corners.xmin + first, corners.ymin + first, corners.xmax + last, corners.ymax + last)


def listed_names(path: str | Path) -> list[str]:
    """Return the names in a list of ``ImageSets``: without flags, comments and suffixes."""
    names = []
    for line in read_text(path, LEGACY).splitlines():
        if not line.strip() or line.lstrip().startswith('#'):
            continue
        name, _, flag = line.strip().rpartition(' ')
        # lists of PaddleDetection name image and XML file
        whole = name and flag not in ('-1', '0', '1') and not flag.lower().endswith('.xml')
        name = (line if whole or not name else flag if flag.lower().endswith('.xml') else name
                ).strip().replace('\\', '/')
        if is_image(name) or name.lower().endswith('.xml'):
            name = splitext(name)[0]
        names.append(name)
    return names


class _Folder:
    """VOC files of a folder, each parsed once for all splits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = Images(folder)

    @cached_property
    def paths(self) -> list[str]:
        return sorted(name for name in walk(self.folder) if name.lower().endswith('.xml'))

    @cached_property
    def files(self) -> dict[str, tuple[VOCFile | None, Report]]:
        """Path -> content, and what is wrong with it."""
        files = {}
        for name in self.paths:
            path, report, content = self.folder / name, Report(name), None
            try:
                content = read_voc_file(path, report)
                if content is None:
                    report.drop(OTHER_XML, str(path))
            except (DataError, OSError) as error:
                report.rows_read += 1
                report.drop(BAD_XML, str(error))
            files[name] = content, report
        return files

    @cached_property
    def classes(self) -> list[str]:
        return sorted({drawn.name for content, _ in self.files.values() if content
                       for drawn in content.objects if not is_blank(drawn.name)})

    @cached_property
    def from_zero(self) -> str:
        """File that shows that boxes are edges counted from 0; empty if none does."""
        return next((path for path, (content, _) in self.files.items() if content
                     for one in content.objects if one.corners
                     and any(0 <= value < 1 for value in one.corners[:2])), '')

    def splits(self) -> dict[str, list[str]]:
        """Split -> XML files, also those that are listed but missing."""
        folders: dict[str, None] = {}
        for path in self.paths:
            parts = dirname(path).split('/')
            folders.update({'/'.join(parts[:i + 1]): None for i, part in enumerate(parts)
                            if part.lower() == 'annotations'})
        listed: dict[str, list[str]] = {}
        for place in folders:
            for name, stems in _lists(self.folder / dirname(place)).items():
                listed.setdefault(name, []).extend(self._listed(place, stem) for stem in stems)
        return in_order(listed) if listed else by_split(self.paths)

    def _listed(self, place: str, stem: str) -> str:
        """Return the XML file that a line of a list means; lines may name the folder, too."""
        path = join(place, f'{stem}.xml')
        last = join(place, f'{basename(stem)}.xml')
        return last if path not in self.files and last in self.files else path

    def items(self, paths: Sequence[str], report: Report) -> Iterator[Annotated]:
        offsets = (0, 0) if self.from_zero else (-1, 0)
        if self.from_zero:
            report.change(FROM_ZERO, str(self.folder / self.from_zero))
        for path in dict.fromkeys(paths):
            where = str(self.folder / path)
            if path not in self.files:
                report.rows_read += 1
                report.drop(MISSING_XML, where)
                continue
            content, own = self.files[path]
            report.add(own)
            if content is None:
                continue
            image = self.images.beside(path, join(content.folder, content.filename))
            if image is None and content.filename:
                image = self.images.find(content.filename, path)
            boxes = []
            for i, drawn in enumerate(content.objects):
                box = None
                if drawn.corners:
                    x1, y1, x2, y2 = half_open(drawn.corners, offsets)
                    box = (x1, y1, x2 - x1, y2 - y1)
                boxes.append(Drawn(f'{where} object {i}', drawn.name, box, drawn.difficult))
            yield Annotated(where, image, boxes, content.width, content.height)


def _lists(base: Path) -> dict[str, list[str]]:
    """Return the lists of a VOC folder; empty if it is not divided."""
    for folder in (base / 'ImageSets' / 'Main', base / 'ImageSets'):
        try:
            stems = sorted(splitext(name)[0] for name in os.listdir(folder)
                           if name.lower().endswith('.txt'))
        except OSError:
            continue
        known = {stem: split for stem in stems if (split := split_name(stem))}
        if list(known) == ['trainval']:
            known = dict(trainval='')
        elif {known[stem] for stem in known if stem != 'trainval'} & {'train', 'val'}:
            known.pop('trainval', None)
        # others are lists of a user, but cat_train.txt is that of a class
        known = known or {stem: stem for stem in stems
                          if split_name(stem.rpartition('_')[2]) is None}
        if known:
            lists: dict[str, list[str]] = {}
            for stem, split in known.items():
                lists.setdefault(split, []).extend(listed_names(folder / f'{stem}.txt'))
            return lists
    return {}


def sniff(folder: Path) -> Sniffed | None:
    """Look for XML files of ``<annotation>`` with ``<bndbox>``."""
    if not folder.is_dir():
        return None
    empty = None
    for path in peek(folder, ('.xml',)):
        text = begins_with(path, 'annotation')
        if b'<bndbox>' in text:
            devkit = (folder / 'Annotations').is_dir()
            return guess(1. if devkit else 0.9, path, folder, 'with <bndbox>')
        if text and not any(tag in text for tag in (b'<polygon>', b'<segm>', b'<imagesize>')):
            empty = empty or guess(0.5, path, folder, 'is an <annotation>')
    return empty


def splits(folder: Path) -> list[SplitFiles]:
    """Return the splits of a VOC folder."""
    voc = _Folder(folder)
    return [split_files(name, folder, voc.images, partial(voc.items, paths), lambda: voc.classes)
            for name, paths in voc.splits().items()]


FORMAT = Format('voc', 'Pascal VOC', LAYOUT, sniff, splits)
