"""Checks of a data set's classes against its annotation file and the metric's."""

from collections import Counter
from pathlib import Path
from typing import Any

from glip_mm.datasets.coco_file import read_coco, read_with_report
from glip_mm.datasets.data_error import DataError
from glip_mm.evaluation.tested_datasets import TestedDataset

from .findings import Findings, both_sides

#: Maximum size of an annotation file that is read before a test: half a minute.
LARGEST = 1 << 30


def read_annotations(dataset: TestedDataset, findings: Findings,
                     largest: int = LARGEST) -> dict[str, Any] | None:
    """Read a COCO-format file; None if it has another format or is too large."""
    path = Path(dataset.ann_file)
    # JSON lines end in .json, too
    other = getattr(dataset.dataset, 'format', 'coco') not in ('coco', 'lvis')
    if path.suffix != '.json' or not dataset.classes or other:
        return None
    if not path.is_file():
        findings.errors.append(f"{dataset.name}: annotation file '{path}' is missing: check "
                               'data_root and ann_file')
        return None
    if path.stat().st_size > largest:
        findings.notes.append(f"{dataset.name}: '{path}' is too large to be looked into first")
        return None
    try:
        content, report = read_with_report(path)
    except DataError as error:
        findings.errors.append(f'{dataset.name}: {error}')
        return None
    lines = report.lines()
    if lines:
        # MMDetection's own data sets and metrics take the rows as they are
        target = findings.warnings if report.dropped else findings.notes
        target.append('\n  '.join([f"{dataset.name}: '{path}' is read with corrections", *lines]))
    return content


def check_annotations(dataset: TestedDataset, content: dict[str, Any], findings: Findings,
                      training: bool = False) -> None:
    """Compare class names and their order with the categories, and find classes without boxes.

    Args:
        dataset: Data set with the classes in ``metainfo``.
        content: Content of its annotation file.
        findings: Findings to add to.
        training: Whether it is a training set: images may be left out, and classes without boxes
            are counted elsewhere.
    """
    names = {row['id']: row['name'] for row in content['categories']}
    given = getattr(dataset.dataset, 'cat_ids', None)
    # a data set that maps categories by id may rename them; one that looks them up by name loses
    # unknown names, and uses the order of the file whatever that of the classes
    renames = given is None and 'category_ids' in dataset.dataset.metainfo
    ids = dataset.dataset.metainfo['category_ids'] if renames else given
    if ids is None:
        return
    theirs, title = [names[i] for i in ids], f"{dataset.name}: '{dataset.ann_file}'"
    sides = both_sides('metainfo.classes', dataset.classes, 'categories', theirs)
    if len(theirs) != len(dataset.classes) or (
            sorted(theirs) == sorted(dataset.classes) and theirs != list(dataset.classes)):
        findings.errors.append(
            f'{title} does not have the classes of metainfo in label order, so labels would stand '
            f'for other classes:\n{sides}\n  all categories of the file: {list(names.values())}')
    elif [_plain(t) for t in theirs] != [_plain(c) for c in dataset.classes]:
        if renames:
            findings.notes.append(f'{title}: classes are renamed by metainfo:\n{sides}')
        else:
            findings.errors.append(f'{title} has other classes than metainfo:\n{sides}')
    verb = 'trained' if training else 'tested'
    counts = Counter(a['category_id'] for a in content.get('annotations', ()))
    unused = [names[i] for i in names if i not in set(ids)]
    with_boxes = [names[i] for i in names if i not in set(ids) and counts[i]]
    if with_boxes:
        findings.warnings.append(
            f'{title} has boxes of {len(with_boxes)} categories that are not {verb}: {with_boxes}; '
            f'{verb} are {list(dataset.classes)}')
    elif unused:
        findings.notes.append(f'{title}: categories without boxes that are not {verb}: {unused}')
    if training:
        return
    empty = [c for c, i in zip(dataset.classes, ids) if not counts[i]]
    if empty and len(empty) == len(dataset.classes):
        findings.errors.append(f'{title} has no box of any class: it cannot be scored (test '
                               f'annotations are not public?)\n  metainfo.classes: {empty}\n'
                               f'  categories with boxes: {with_boxes}')
    elif empty:
        findings.warnings.append(f'{title}: {len(empty)} of {len(dataset.classes)} classes have no '
                                 f'boxes and count in no mean: {empty}')
    images = len(content.get('images', ()))
    if images > dataset.num_images:
        findings.warnings.append(
            f'{title} has {images} images, the data set {dataset.num_images}: published numbers '
            'count those without boxes too (filter_cfg, test_mode)')


def check_metric(dataset: TestedDataset, content: dict[str, Any], metric: Any,
                 findings: Findings) -> None:
    """Compare categories and images of a metric's annotation file with the data set's."""
    read = _read_by(metric, dataset, findings)
    if read is None:
        return
    theirs, known = read
    title = f'{dataset.name}: {type(metric).__name__}'
    mine = {c['id']: c['name'] for c in content['categories']}
    if mine != theirs:
        findings.errors.append(
            f'{title} reads an annotation file with other categories than the data set:\n'
            + both_sides(dataset.ann_file, _rows(mine), 'metric', _rows(theirs)))
    strange = [i['id'] for i in content['images'] if i['id'] not in known]
    missing = len(known) - len(content['images']) + len(strange)
    if strange or missing > 0:
        findings.errors.append(
            f"{title} reads an annotation file with other images than the data set's: "
            f"{len(strange)} of '{dataset.ann_file}' ({len(content['images'])} images, such as "
            f'{strange[:5]}) are not in it, and {missing} of its {len(known)} are not in that '
            'file: give both the same ann_file')


def _read_by(metric: Any, dataset: TestedDataset,
             findings: Findings) -> tuple[dict[int, str], set[Any]] | None:
    """Return categories, id -> name, and image ids that a metric evaluates a data set with."""
    if getattr(metric, '_coco_api', None) is not None:  # CocoMetric
        api = metric._coco_api
        return {c['id']: c['name'] for c in api.dataset['categories']}, set(api.getImgIds())
    if hasattr(metric, 'truth'):  # LVISFixedAPMetric
        truth = metric.truth
        return (dict(zip(truth.category_ids.tolist(), truth.names)),
                set(truth.image_ids.tolist()))
    if isinstance(getattr(metric, 'datasets', None), dict):  # ODinWMetric
        path = metric.datasets.get(dataset.name)
        if path is None:
            findings.errors.append(
                f'{dataset.name}: {type(metric).__name__}.datasets does not name this data set, '
                f'so it would be scored by nothing; it names {sorted(metric.datasets)}')
            return None
        if Path(path) == Path(dataset.ann_file):
            return None
        content = read_coco(path)
        return ({c['id']: c['name'] for c in content['categories']},
                {image['id'] for image in content['images']})
    return None


def _rows(categories: dict[int, str]) -> list[str]:
    return [f'{i} {name}' for i, name in categories.items()]


def _plain(name: str) -> str:
    return ' '.join(name.replace('_', ' ').lower().split())
