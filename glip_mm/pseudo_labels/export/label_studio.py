"""Export to Label Studio: tasks with predictions, and the matching labelling interface."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from glip_mm.version import __version__
from glip_mm.visualization.palette import PALETTE

from .collection import Collection, ExportImage
from .image_folder import ImageFolder
from .json_list import write_list
from .lost_names import warn_of, warn_of_changed
from .voc import xml_text

#: URL prefix of files below Label Studio's document root.
LOCAL_FILES = '/data/local-files/?d='
#: What Label Studio replaces by a field of the task, wherever it shows a value.
_FIELD = re.compile(r'\$[\w\[\].{}]')


def write_label_studio(collection: Collection, folder: Path) -> tuple[int, int]:
    """Write ``tasks.json`` and ``interface.xml``.

    Boxes are predictions with their scores, in percent of the image. Images are served by Label
    Studio itself from ``collection.images_folder``, whose parent must be its document root, or from
    copies in ``images``, of which ``folder`` is the root.

    Args:
        collection: Labels to write.
        folder: Target folder.

    Returns:
        Numbers of images and boxes.

    Raises:
        ValueError: If the image folder is unknown.
    """
    placed = ImageFolder(collection, folder / 'images', 'none')
    prefix = _prefix(collection, placed)
    images = boxes = 0

    def tasks() -> Iterator[dict]:
        nonlocal images, boxes
        for image in collection.images():
            results = _results(image, collection.categories)
            if image.boxes and not results:
                continue
            placed.add(image)
            scores = [result['score'] for result in results if 'score' in result]
            prediction = dict(model_version=f'glip_mm {__version__}', result=results)
            if scores:
                # so that tasks can be sorted by their least certain box
                prediction['score'] = min(scores)
            images += 1
            boxes += len(results)
            yield dict(data=dict(image=prefix + quote(image.name), caption=image.caption or '',
                                 filename=image.name, **(dict(split=image.split)
                                                         if image.split else {})),
                       predictions=[prediction])

    with open(folder / 'tasks.json', 'wb') as file:
        write_list(file, tasks())
        file.write(b'\n')
    warn_of_changed(collection.categories, 'labelstudio', xml_text)
    warn_of((repr(name) for name in collection.categories if _FIELD.search(name)),
            "are shown without their '$...', which Label Studio takes for a field of the task")
    tree = ElementTree.ElementTree(_interface(collection.categories))
    ElementTree.indent(tree)
    tree.write(folder / 'interface.xml', encoding='utf-8')
    return images, boxes


def _prefix(collection: Collection, placed: ImageFolder) -> str:
    if collection.image_url:
        return collection.image_url
    if placed.images_as != 'none':
        return f'{LOCAL_FILES}{placed.folder.name}/'
    if collection.images_folder is None:
        raise ValueError('--images or --image-url is needed: Label Studio must find the images'
                         + ('; unpack the shards first' if collection.rows.is_tar else ''))
    return f'{LOCAL_FILES}{quote(Path(collection.images_folder).resolve().name)}/'


def _results(image: ExportImage, categories: list[str]) -> list[dict]:
    return [rectangle(number, one.box, image.size, xml_text(categories[one.category]), one.score)
            for number, one in enumerate(image.boxes) if not one.ignore]


def rectangle(number: int, box: Sequence[float], size: tuple[int, int], label: str,
              score: float | None, from_name: str = 'label', to_name: str = 'image') -> dict:
    """Return a region of a prediction.

    Args:
        number: Number of the region in its image.
        box: ``x1, y1, x2, y2`` in pixels.
        size: Width and height of the image in pixels.
        label: Name of the box.
        score: Score of the box.
        from_name: Name of the control that has the labels.
        to_name: Name of the object that shows the image.
    """
    (x1, y1, x2, y2), (width, height) = box, size
    region = dict(
        id=f'box{number}', type='rectanglelabels', from_name=from_name, to_name=to_name,
        original_width=width, original_height=height, image_rotation=0,
        value=dict(x=100 * x1 / width, y=100 * y1 / height, width=100 * (x2 - x1) / width,
                   height=100 * (y2 - y1) / height, rotation=0, rectanglelabels=[label]))
    return region if score is None else {**region, 'score': score}


def _interface(categories: list[str]) -> ElementTree.Element:
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Text', name='caption', value='$caption')
    ElementTree.SubElement(view, 'Image', name='image', value='$image', zoom='true')
    labels = ElementTree.SubElement(view, 'RectangleLabels', name='label', toName='image')
    for i, name in enumerate(categories):
        color = '#{:02x}{:02x}{:02x}'.format(*PALETTE[i % len(PALETTE)])
        ElementTree.SubElement(labels, 'Label', value=xml_text(name), background=color)
    return view
