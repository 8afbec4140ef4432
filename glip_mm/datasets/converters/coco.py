"""COCO JSON to ODVG records: COCO, Objects365, V3Det, ODinW and other exports of that format."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .box_table import Container, Image, read_container
from .boxes import fit_box
from .conversion_report import WITH_ITS_ROW, Report
from .records import Records

CROWD = 'crowd box'
NO_CATEGORY = 'box of a category that is not listed'


def contiguous_labels(categories: list[dict], ann_file: str | Path
                      ) -> tuple[dict[object, int], dict[int, str]]:
    """Assign labels 0, 1, ... in ascending order of the category ids, which may have gaps.

    Args:
        categories: COCO categories.
        ann_file: Path of the file, for the error message.

    Returns:
        Category id -> label, and label -> name.

    Raises:
        ValueError: If a category has no id or name, or an id is not unique.
    """
    names: dict[int, str] = {}
    for i, category in enumerate(categories):
        if (not isinstance(category, dict) or not isinstance(category.get('id'), int)
                or not isinstance(category.get('name'), str)):
            raise ValueError(f"'{ann_file}': categories[{i}] is {category!r}, but needs a whole "
                             "number 'id' and a text 'name'")
        if category['id'] in names:
            raise ValueError(f"'{ann_file}': category id {category['id']} is listed twice "
                             f"({names[category['id']]!r} and {category['name']!r}): keep one")
        names[category['id']] = category['name']
    ids = sorted(names)
    return ({category_id: label for label, category_id in enumerate(ids)},
            {label: names[category_id] for label, category_id in enumerate(ids)})


def detection_records(container: Container, labels: Mapping[object, int],
                      label_map: Mapping[int, str], report: Report, drop_crowd: bool = False,
                      more: Callable[[Image], dict] = lambda image: {}) -> Iterator[dict]:
    """Iterate over the records of all images; those without boxes serve as negatives.

    Args:
        container: Content of the annotation file.
        labels: Category id -> label.
        label_map: Label -> name.
        report: Report that is filled during the iteration.
        drop_crowd: Leave crowd boxes out instead of marking them to be ignored.
        more: Function from an image to further entries of ``detection``.

    Yields:
        ODVG detection records.
    """
    for image in container.images:
        instances = []
        for box in container.table.of(image.number):
            label = labels.get(box.category)
            if label is None:
                report.drop(NO_CATEGORY, box.where)
                continue
            if box.ignore and drop_crowd:
                report.drop(CROWD, box.where)
                continue
            bbox = fit_box(box.x, box.y, box.x + box.w, box.y + box.h, image.width, image.height,
                           report, box.where)
            if bbox is None:
                continue
            instance = dict(bbox=bbox, label=label, category=label_map[label])
            if box.ignore:
                instance['ignore'] = 1
                report.change('crowd box marked to be ignored', box.where)
            instances.append(instance)
        report.rows_written += 1
        report.boxes_written += len(instances)
        yield dict(filename=image.file_name, height=image.height, width=image.width,
                   image_id=image.image_id, detection=dict(instances=instances, **more(image)))


def coco_records(ann_file: str | Path, drop_crowd: bool = False,
                 rename: Mapping[str, str] | None = None, skip_images: frozenset = frozenset(),
                 strip: tuple[str, ...] = (), progress: bool = True) -> Records:
    """Read COCO detection annotations.

    The file is streamed once; about 60 bytes per box and 400 bytes per image are kept.

    Args:
        ann_file: Path of the COCO JSON file.
        drop_crowd: Leave crowd boxes out. By default they are marked with ``ignore: 1``, which
            MMDetection's readers ignore.
        rename: Corrections of class names, wrong name -> right name.
        skip_images: Ids of images to leave out.
        strip: Prefixes to remove from file names; the first that matches.
        progress: Show progress bars.

    Returns:
        Detection records, labels in ascending order of the category ids.

    Raises:
        ValueError: If the file is not of this format.
    """
    report = Report(str(ann_file))

    def file_name(image: dict) -> object:
        name = image.get('file_name')
        if isinstance(name, str):
            prefix = next((prefix for prefix in strip if name.startswith(prefix)), '')
            return name[len(prefix):]
        return name

    container = read_container(ann_file, report, file_name=file_name, progress=progress)
    labels, label_map = contiguous_labels(container.categories, ann_file)
    label_map = {label: (rename or {}).get(name, name) for label, name in label_map.items()}
    kept = []
    for image in container.images:
        if image.image_id in skip_images:
            where = f'image id {image.image_id}'
            report.drop('image known to be missing or unreadable', where)
            report.drop(WITH_ITS_ROW, where, len(container.table.of(image.number)))
        else:
            kept.append(image)
    container = container._replace(images=kept)
    return Records(detection_records(container, labels, label_map, report, drop_crowd), label_map,
                   report.rows_read, report)
