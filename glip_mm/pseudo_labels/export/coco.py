"""Export to COCO: a JSON file, or one for each split, which CVAT imports, too."""

import json
from collections.abc import Iterator
from pathlib import Path

from .collection import Collection, ExportImage
from .image_folder import ImageFolder
from .json_list import write_list


def write_coco(collection: Collection, folder: Path) -> tuple[int, int]:
    """Write ``annotations/instances_SPLIT.json`` and ``cvat_labels.json``.

    The split of undivided labels is called ``default``, as by CVAT and datumaro.
    Boxes are ``[x, y, width, height]`` in pixels, ids count from 1, ignored boxes are crowds.
    ``segmentation`` is empty, which CVAT reads as a rectangle. CVAT accepts no
    label that its task does not have, so the second file is to be pasted into the *Raw* tab of the
    task's labels.

    Args:
        collection: Labels to write.
        folder: Target folder.

    Returns:
        Numbers of images and boxes.
    """
    placed = ImageFolder(collection, folder / 'images', 'none')
    images = boxes = 0
    for split in collection.splits:
        path = folder / f"annotations/instances_{split or 'default'}.json"
        path.parent.mkdir(exist_ok=True)
        counts = _write_split(collection, placed, split, path)
        images, boxes = images + counts[0], boxes + counts[1]
    with open(folder / 'cvat_labels.json', 'wb') as file:
        write_list(file, (dict(name=name, attributes=[]) for name in collection.categories))
    return images, boxes


def _write_split(collection: Collection, placed: ImageFolder, split: str, path: Path
                 ) -> tuple[int, int]:
    images = boxes = 0

    def of_split(description: str) -> Iterator[tuple[int, ExportImage]]:
        return enumerate((image for image in collection.images(f'{description} {split}'.strip())
                          if image.split == split), 1)

    def image_entries() -> Iterator[dict]:
        nonlocal images
        for images, image in of_split('writing images'):
            placed.add(image)
            width, height = image.size
            entry = dict(id=images, file_name=image.name, width=width, height=height, license=0,
                         flickr_url='', coco_url='', date_captured=0)
            if image.caption is not None:
                entry['caption'] = image.caption
            yield entry

    def box_entries() -> Iterator[dict]:
        nonlocal boxes
        for number, image in of_split('writing boxes'):
            for one in image.boxes:
                boxes += 1
                x1, y1, x2, y2 = one.box
                # the difference has rounding errors that the corners do not have
                width, height = round(x2 - x1, 6), round(y2 - y1, 6)
                entry = dict(id=boxes, image_id=number, category_id=one.category + 1,
                             bbox=[x1, y1, width, height], area=round(width * height, 6),
                             segmentation=[], iscrowd=int(one.ignore))
                if one.score is not None:
                    entry['score'] = one.score
                yield entry

    info = dict(description=f'labels of {collection.rows.path.name}', version='', year=0,
                contributor='', url='', date_created='')
    categories = [dict(id=i, name=name, supercategory='')
                  for i, name in enumerate(collection.categories, 1)]
    with open(path, 'wb') as file:
        file.write(f'{{"info": {json.dumps(info)},\n"licenses": '
                   '[{"id": 0, "name": "", "url": ""}],\n"categories": '.encode())
        write_list(file, categories)
        file.write(b',\n"images": ')
        write_list(file, image_entries())
        file.write(b',\n"annotations": ')
        write_list(file, box_entries())
        file.write(b'}\n')
    return images, boxes
