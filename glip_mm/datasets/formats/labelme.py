"""labelme: a JSON file per image; and LabelMe, the XML of the web tool it is named after.

Read here and not by a library: supervision 0.31 reads the JSON of one folder, leaves out circles
and lines, ends at the first shape without two numbers a point, and brings some 430 MB of packages;
datumaro 1.13 reads the XML alone, ends at a mask that is missing, and pins pandas 2, PyArrow 25
and Pillow 12.

Any outline becomes the box around it. Coordinates are edges of pixels counted from 0.
"""

import math
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from posixpath import join

from glip_mm.datasets.boxes import MALFORMED
from glip_mm.datasets.coco_file import plain_flag, plain_number
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.datasets.report import Report
from glip_mm.text.names import is_blank

from .base import Format, Sniffed, SplitFiles
from .image_annotations import (
    OUTLINE,
    Annotated,
    Box,
    Drawn,
    Images,
    by_split,
    guess,
    head,
    hull,
    peek,
    split_files,
    walk,
)
from .xml_file import BAD_XML, begins_with, read_xml

BAD_JSON = 'JSON file that cannot be parsed'
OTHER_FILE = 'JSON or XML file of another kind'
DELETED = 'object that was deleted in the tool'
LAYOUT = ('.json files with shapes and imagePath, beside their images or not, in one folder or in '
          "train/, val/ and test/; or LabelMe's Annotations/**/*.xml and Images/")


def _points(values: object) -> list[tuple[float, float]]:
    """Return points; empty if one of them is not two numbers."""
    points = []
    for value in values if isinstance(values, list) else ():
        numbers = [plain_number(one) for one in value] if isinstance(value, list) else []
        if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
            return []
        points.append((numbers[0], numbers[1]))
    return points


def _shape_box(shape: dict, where: str, report: Report) -> Box | None:
    points, kind = _points(shape.get('points')), shape.get('shape_type')
    if kind == 'circle' and len(points) == 2:
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    if kind not in ('rectangle', 'mask'):
        report.change(OUTLINE, where)
    return hull(points)


def read_labelme(path: Path, name: str, images: Images, report: Report) -> Annotated | None:
    """Read the JSON file of an image; None if it is of another kind.

    Args:
        path: Path of the file.
        name: Its path below the folder.
        images: Images of the folder.
        report: Report that counts what is no box.

    Raises:
        DataError: If it is not JSON.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        return None
    boxes = []
    for i, shape in enumerate(content['shapes']):
        where = f'{path} shape {i}'
        if not isinstance(shape, dict):
            report.boxes_read += 1
            report.drop(MALFORMED, where)
            continue
        label = shape.get('label')
        boxes.append(Drawn(where, str(label) if isinstance(label, (str, int)) else None,
                           _shape_box(shape, where, report),
                           bool(plain_flag(shape.get('difficult')))))
    image = content.get('imagePath')
    found = images.find(image, name) if isinstance(image, str) else None
    return Annotated(str(path), found or images.beside(name), boxes, content.get('imageWidth'),
                     content.get('imageHeight'))


def read_labelme_xml(path: Path, name: str, images: Images, report: Report) -> Annotated | None:
    """Read the XML file of an image; see :func:`read_labelme`."""
    root = read_xml(path, report.change)
    if root.tag != 'annotation':
        return None
    boxes = []
    for i, element in enumerate(root.iter('object')):
        where = f'{path} object {i}'
        if plain_flag(element.findtext('deleted')):
            report.boxes_read += 1
            report.drop(DELETED, where)
            continue
        outline = [[point.findtext('x'), point.findtext('y')]
                   for point in element.iterfind('polygon/pt')]
        corners = [[element.findtext(f'segm/box/{side}{end}') for side in 'xy']
                   for end in ('min', 'max')]
        if outline and (element.findtext('type') or '').strip() != 'bounding_box':
            report.change(OUTLINE, where)
        boxes.append(Drawn(where, (element.findtext('name') or '').strip(),
                           hull(_points(outline or corners))))
    file, folder = ((root.findtext(key) or '').strip() for key in ('filename', 'folder'))
    found = images.find(join('Images', folder, file), name) if file else None
    return Annotated(str(path), found or images.beside(name, file), boxes,
                     root.findtext('imagesize/ncols'), root.findtext('imagesize/nrows'))


class _Folder:
    """Annotation files of a folder, each parsed once for all splits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = Images(folder)

    @cached_property
    def files(self) -> dict[str, tuple[Annotated | None, Report]]:
        """Path -> content, and what is wrong with it."""
        files = {}
        for name in sorted(walk(self.folder)):
            is_xml = name.lower().endswith('.xml')
            if not is_xml and not name.lower().endswith('.json'):
                continue
            path, report, content = self.folder / name, Report(name), None
            try:
                content = (read_labelme_xml if is_xml else read_labelme)(
                    path, name, self.images, report)
                if content is None:
                    report.drop(OTHER_FILE, str(path))
            except (DataError, OSError) as error:
                report.rows_read += 1
                report.drop(BAD_XML if is_xml else BAD_JSON, str(error))
            files[name] = content, report
        return files

    @cached_property
    def classes(self) -> list[str]:
        return sorted({box.name for content, _ in self.files.values() if content
                       for box in content.boxes if box.name and not is_blank(box.name)})

    def items(self, names: Sequence[str], report: Report) -> list[Annotated]:
        for name in names:
            report.add(self.files[name][1])
        return [content for name in names if (content := self.files[name][0])]


def sniff(folder: Path) -> Sniffed | None:
    """Look for JSON with shapes and imagePath, or XML with polygons."""
    if not folder.is_dir():
        return None
    for path in peek(folder, ('.json', '.xml')):
        if path.suffix.lower() == '.json':
            text = head(path)
            if b'"shapes"' in text and (b'"shape_type"' in text or b'"imagePath"' in text):
                return guess(1., path, folder, 'with shapes')
        else:
            text = begins_with(path, 'annotation')
            if b'<bndbox>' not in text and (b'<polygon>' in text or b'<segm>' in text):
                return guess(0.9, path, folder, 'with <polygon> or <segm>')
    return None


def splits(folder: Path) -> list[SplitFiles]:
    """Return the splits of a labelme folder."""
    labelme = _Folder(folder)
    return [split_files(name, folder, labelme.images, partial(labelme.items, names),
                        lambda: labelme.classes)
            for name, names in by_split(labelme.files).items()]


FORMAT = Format('labelme', 'labelme (JSON) and LabelMe (XML)', LAYOUT, sniff, splits)
