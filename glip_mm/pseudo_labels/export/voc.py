"""Export to Pascal VOC: one XML file per image."""

import re
import xml.etree.ElementTree as ElementTree
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from .collection import Collection, ExportImage
from .image_folder import ImageFolder
from .lost_names import warn_of, warn_of_changed

#: Characters that XML cannot contain, escaped or not.
_FORBIDDEN = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


def xml_text(text: object) -> str:
    """Return the text of a value without the characters that XML cannot contain."""
    return _FORBIDDEN.sub('', str(text))


def write_voc(collection: Collection, folder: Path) -> tuple[int, int]:
    """Write ``Annotations/NAME.xml``, ``ImageSets/Main``, ``labelmap.txt`` and ``JPEGImages``.

    VOC counts pixels from 1 and a box includes its last pixel: ``[0, 10)`` is 1 to 10. Corners
    keep their fractions. The score of a box is an element ``score``, which readers ignore.
    ``ImageSets/Main`` holds ``train.txt`` and, of divided labels, ``val.txt``. The names are in
    ``labelmap.txt``, by which CVAT and datumaro know others than the 20 of Pascal VOC; one that
    would damage it is left out, with a warning.

    Args:
        collection: Labels to write.
        folder: Target folder.

    Returns:
        Numbers of images and boxes.

    Raises:
        ValueError: If an image is missing, or two share a label file.
    """
    placed = ImageFolder(collection, folder / 'JPEGImages')
    lists = folder / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    images = boxes = 0
    with ExitStack() as files:
        listings = {split: files.enter_context(
            open(lists / f"{split or 'train'}.txt", 'w', encoding='utf-8'))
            for split in collection.splits}
        for image in collection.images():
            stem = placed.add_with_labels(image)
            path = folder / 'Annotations' / f'{stem}.xml'
            path.parent.mkdir(parents=True, exist_ok=True)
            tree = ElementTree.ElementTree(_annotation(image, collection.categories))
            ElementTree.indent(tree)
            tree.write(path, encoding='utf-8', xml_declaration=True)
            listings[image.split].write(f'{stem}\n')
            images += 1
            boxes += len(image.boxes)
    warn_of_changed(collection.categories, 'voc', read_as)
    lines = {name: f'{name}:::' for name in collection.categories}
    unfit = [name for name, line in lines.items()
             if line.count(':') > 3 or line.startswith('#') or len(line.splitlines()) > 1]
    warn_of(map(repr, unfit), "are left out of 'labelmap.txt', where ':', '#' and line breaks have "
            'a meaning: datumaro, and CVAT with it, imports no set with boxes of them')
    # a colour and parts, which boxes do not have, would stand between the colons
    (folder / 'labelmap.txt').write_text('# label:color_rgb:parts:actions\n' + ''.join(
        f'{line}\n' for name, line in lines.items() if name not in unfit), encoding='utf-8')
    return images, boxes


def read_as(name: str) -> str:
    """Return what a reader of an element ``name`` makes of a class name."""
    element = ElementTree.Element('name')
    element.text = xml_text(name)
    return (ElementTree.fromstring(ElementTree.tostring(element)).text or '').strip()


def _annotation(image: ExportImage, categories: list[str]) -> ElementTree.Element:
    root = ElementTree.Element('annotation')
    name = PurePosixPath(image.name)
    _add(root, 'folder', str(name.parent) if name.parent.parts else 'JPEGImages')
    # with its folder: names alone need not be unique
    _add(root, 'filename', image.name)
    _add(_add(root, 'source'), 'database', 'Unknown')
    size = _add(root, 'size')
    for key, value in zip(('width', 'height', 'depth'), (*image.size, 3)):
        _add(size, key, value)
    _add(root, 'segmented', 0)
    for one in image.boxes:
        entry = _add(root, 'object')
        _add(entry, 'name', categories[one.category])
        _add(entry, 'pose', 'Unspecified')
        _add(entry, 'truncated', 0)
        _add(entry, 'difficult', int(one.ignore))
        if one.score is not None:
            _add(entry, 'score', one.score)
        corners = _add(entry, 'bndbox')
        x1, y1, x2, y2 = one.box
        for key, edge in (('xmin', x1 + 1), ('ymin', y1 + 1), ('xmax', x2), ('ymax', y2)):
            _add(corners, key, f'{round(edge, 6):.10g}')
    return root


def _add(parent: ElementTree.Element, tag: str, text: object = '') -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = xml_text(text) or None
    return child
