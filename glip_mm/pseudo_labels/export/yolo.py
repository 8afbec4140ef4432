"""Export to YOLO: one text file per image, as for Ultralytics."""

import json
import re
from contextlib import ExitStack
from pathlib import Path

from .collection import Collection
from .image_folder import ImageFolder
from .lost_names import warn_of_changed


def write_yolo(collection: Collection, folder: Path) -> tuple[int, int]:
    """Write ``data.yaml``, ``train.txt`` (and ``val.txt``), ``labels/NAME.txt`` and ``images``.

    A line is ``class x y width height``: the index of the class from 0, and centre and size
    of the box relative to the image. Scores and ignored boxes cannot be represented.
    ``train.txt`` lists the images of the labels: the others in the folder are no negatives.

    Args:
        collection: Labels to write.
        folder: Target folder.

    Returns:
        Numbers of images and boxes.

    Raises:
        ValueError: If an image is missing, or two share a label file.
    """
    placed = ImageFolder(collection, folder / 'images')
    images = boxes = 0
    with ExitStack() as files:
        listings = {split: files.enter_context(
            open(folder / f"{split or 'train'}.txt", 'w', encoding='utf-8'))
            for split in collection.splits}
        for image in collection.images():
            found = [one for one in image.boxes if not one.ignore]
            if image.boxes and not found:
                continue
            path = folder / 'labels' / f'{placed.add_with_labels(image)}.txt'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(''.join(f'{one.category} {_shares(one.box, *image.size)}\n'
                                    for one in found), encoding='utf-8')
            listings[image.split].write(f'./images/{image.name}\n')
            images += 1
            boxes += len(found)
    warn_of_changed(collection.categories, 'yolo', str.strip)
    names = ''.join(f'  {i}: {_yaml(name)}\n'
                    for i, name in enumerate(collection.categories))
    (folder / 'data.yaml').write_text(
        '# Labels of a model. They are no ground truth: put a set of yours at val.\n'
        f"train: train.txt\nval: {collection.splits[-1] or 'train'}.txt\nnames:\n{names}",
        encoding='utf-8')
    return images, boxes


def _yaml(text: str) -> str:
    # a JSON string is a valid YAML string, but for these characters as such
    return re.sub('[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]',
                  lambda c: f'\\u{ord(c[0]):04x}', json.dumps(text, ensure_ascii=False))


def _shares(box: tuple, width: int, height: int) -> str:
    x1, y1, x2, y2 = box
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height,
              (x2 - x1) / width, (y2 - y1) / height)
    # 1e-10 of an image is finer than any box is known
    return ' '.join(f'{share:.10f}'.rstrip('0').rstrip('.') for share in shares)
