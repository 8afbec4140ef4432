"""Export to ODVG: the selected labels only."""

import json
from pathlib import Path
from typing import BinaryIO

from glip_mm.datasets.label_map import write_label_map
from glip_mm.pseudo_labels.label_rows import region_boxes

from .collection import Collection, ExportBox, ExportImage
from .image_folder import ImageFolder


def write_odvg(collection: Collection, folder: Path) -> tuple[int, int]:
    """Write ``SHARD.jsonl`` files with the rows of the source files, ``SPLIT.jsonl`` if divided.

    Detection rows of several files become one, ``annotations.jsonl``.

    Phrases and boxes stay unchanged; a phrase that loses its boxes moves to ``without_box``. Rows
    that lose all boxes are left out. Rows of shards refer to images and no longer contain them.
    Detection rows get a ``label_map.json`` without the classes that were left out: a class in the
    map whose boxes are missing would be trained as absent. A class that loses boxes of an image is
    ``not_exhaustive`` there, for the same reason.

    Args:
        collection: Labels to write.
        folder: Target folder.

    Returns:
        Numbers of images and boxes.
    """
    placed = ImageFolder(collection, folder / 'images', 'none')
    images = boxes = 0
    name = ''
    file: BinaryIO | None = None
    names = dict(collection.rows.label_map or {})
    try:
        for image in collection.images(merge=False):
            placed.add(image)
            if file is None or name != _file_name(collection, image):
                if file is not None:
                    file.close()
                name = _file_name(collection, image)
                file = open(folder / f'{name}.jsonl', 'ab')
            file.write(json.dumps(_chosen(image), ensure_ascii=False).encode('utf-8', 'replace')
                       + b'\n')
            names.update((one['label'], one['category']) for one in image.row.record.get(
                'detection', {}).get('instances', ()) if 'category' in one)
            images += 1
            boxes += len(image.boxes)
    finally:
        if file is not None:
            file.close()
    if names:
        whole = collection.classes is None and collection.min_count <= 1
        write_label_map({label: name for label, name in names.items()
                         if whole or collection.category_of(name) in collection.categories},
                        folder / 'label_map.json')
    return images, boxes


def _file_name(collection: Collection, image: ExportImage) -> str:
    if image.split or 'detection' in image.row.record and len(collection.rows.files) > 1:
        return image.split or 'annotations'
    return collection.rows.files[image.row.file].stem


def _chosen(image: ExportImage) -> dict:
    record, parts = image.row.record, {one.part: one for one in image.boxes}
    if 'detection' in record:
        content = dict(record['detection'])
        lost = {one['label'] for i, one in enumerate(content['instances']) if (0, i) not in parts}
        if lost:
            content['not_exhaustive'] = sorted(lost.union(content.get('not_exhaustive', ())))
        content['instances'] = [one for i, one in enumerate(content['instances'])
                                if (0, i) in parts]
        return {**record, 'detection': content}
    content = record['grounding']
    regions, without = [], list(content.get('without_box', ()))
    for i, region in enumerate(content['regions']):
        chosen = [j for j in range(len(region_boxes(region)[0])) if (i, j) in parts]
        if chosen:
            regions.append(_region(region, chosen, [parts[i, j] for j in chosen]))
        else:
            without.append({key: region[key] for key in ('phrase', 'tokens_positive')})
    without.sort(key=lambda entry: entry['tokens_positive'])
    return {**record, 'grounding': {**content, 'regions': regions, 'without_box': without}}


def _region(region: dict, chosen: list[int], boxes: list[ExportBox]) -> dict:
    own, scores = region_boxes(region)
    result = {**region, 'bbox': [own[j] for j in chosen]}
    if 'score' in region:
        result['score'] = [scores[j] for j in chosen]
    return result
