"""Visual Genome objects to ODVG detection records.

The authors trained on a cleaned list of classes that they did not release. Here the classes are
the object names that are frequent enough.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from glip_mm.datasets.boxes import MALFORMED, fit_box, four_numbers
from glip_mm.datasets.coco_file import plain_id
from glip_mm.datasets.json_container import iterate_array
from glip_mm.datasets.report import WITH_ITS_ROW, Report

from .records import Records

RARE = 'box of a name that is rare or missing'
UNKNOWN_IMAGE = 'image without an entry in image_data.json'


def _name(item: object) -> str:
    """Return the first name of an object, normalised as in a sentence."""
    names = item.get('names') if isinstance(item, dict) else None
    name = names[0] if isinstance(names, list) and names else ''
    return ' '.join(name.lower().split()) if isinstance(name, str) else ''


def _images(path: str | Path, progress: bool) -> dict[object, tuple[str, int, int]]:
    """Return image id -> file name below the image folder, height, width."""
    images: dict[object, tuple[str, int, int]] = {}
    for entry in iterate_array(path, progress):
        try:
            name = '/'.join(entry['url'].split('/')[-2:])  # VG_100K_2/1.jpg
            images[plain_id(entry['image_id'])] = name, int(entry['height']), int(entry['width'])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(f"'{path}': {entry!r:.100} has no image_id, url, height and width: "
                             'give image_data.json of Visual Genome') from None
    return images


def _records(path: str | Path, images: Mapping[object, tuple[str, int, int]],
             labels: Mapping[str, int], report: Report, progress: bool) -> Iterator[dict]:
    for index, entry in enumerate(iterate_array(path, progress)):
        report.rows_read += 1
        objects = entry.get('objects') if isinstance(entry, dict) else None
        image_id = plain_id(entry.get('image_id')) if isinstance(objects, list) else None
        image = images.get(image_id)
        if image is None:
            report.drop(UNKNOWN_IMAGE, f'entry {index}')
            boxes = len(objects) if isinstance(objects, list) else 0
            report.boxes_read += boxes
            report.drop(WITH_ITS_ROW, f'entry {index}', boxes)
            continue
        filename, height, width = image
        instances = []
        for item in entry['objects']:
            where = f'image id {image_id}'
            report.boxes_read += 1
            name = _name(item)
            if name not in labels:
                report.drop(RARE, f'{where} ({name!r})')
                continue
            corners = four_numbers([item.get(key) for key in 'xywh'])
            if corners is None:
                report.drop(MALFORMED, where)
                continue
            x, y, w, h = corners
            bbox = fit_box(x, y, x + w, y + h, width, height, report, where)
            if bbox is not None:
                instances.append(dict(bbox=bbox, label=labels[name], category=name))
        report.rows_written += 1
        report.boxes_written += len(instances)
        yield dict(filename=filename, height=height, width=width, image_id=image_id,
                   detection=dict(instances=instances))


def visual_genome_records(objects_file: str | Path, image_file: str | Path, min_boxes: int = 100,
                          progress: bool = True) -> Records:
    """Read the objects of Visual Genome; the file is streamed twice, first for the names.

    Args:
        objects_file: Path of ``objects.json``.
        image_file: Path of ``image_data.json``.
        min_boxes: Minimum number of boxes for a name to become a class.
        progress: Show progress bars.

    Returns:
        Detection records; the most frequent name has label 0.

    Raises:
        ValueError: If a file is not of this format, or no name is frequent enough.
    """
    images = _images(image_file, progress)
    counts: Counter = Counter()
    for entry in iterate_array(objects_file, progress):
        if isinstance(entry, dict) and isinstance(entry.get('objects'), list):
            counts.update(map(_name, entry['objects']))
    counts.pop('', None)
    frequent = sorted((name for name, count in counts.items() if count >= min_boxes),
                      key=lambda name: (-counts[name], name))
    if not frequent:
        raise ValueError(f"'{objects_file}' names no object {min_boxes} times: give objects.json "
                         'of Visual Genome, or a lower --min-boxes')
    report = Report(str(objects_file))
    labels = {name: label for label, name in enumerate(frequent)}
    return Records(_records(objects_file, images, labels, report, progress),
                   dict(enumerate(frequent)), len(images), report)
