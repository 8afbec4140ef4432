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
    path, reader = Path(dataset.ann_file), dataset.dataset
    known = getattr(reader, 'format', 'coco' if _label_ids(reader) else '')
    # JSON lines end in .json, too
    if not path.name.endswith(('.json', '.json.gz')) or not dataset.classes or known not in (
            '', 'coco', 'lvis'):
        return None
    if path.is_file() and path.stat().st_size > largest:
        findings.notes.append(f"{dataset.name}: '{path}' is too large to be looked into first")
        return None
    try:
        content, report = read_with_report(path)
    except (FileNotFoundError, DataError) as error:
        if known or not path.is_file():
            findings.errors.append(f'{dataset.name}: {error}')
        return None
    lines = report.lines()
    if lines:
        # MMDetection's own data sets and metrics take the rows as they are
        target = findings.warnings if report.dropped else findings.notes
        target.append('\n  '.join([f"{dataset.name}: '{path}' is read with corrections", *lines]))
    return content


def _label_ids(dataset: Any) -> tuple[Any, ...]:
    """Return the category id of each label; empty if the data set does not know."""
    own = (getattr(dataset, 'metainfo', None) or {}).get('category_ids')
    return tuple(own if own is not None else getattr(dataset, 'cat_ids', None) or ())


def check_annotations(dataset: TestedDataset, content: dict[str, Any], findings: Findings,
                      training: bool = False, scored: bool = True) -> None:
    """Compare class names and their order with the categories, and find classes without boxes.

    Args:
        dataset: Data set with the classes in ``metainfo``.
        content: Content of its annotation file.
        findings: Findings to add to.
        training: Whether it is a training set: images may be left out, and classes without boxes
            are counted elsewhere.
        scored: Whether its boxes are needed: a file for an evaluation server is not scored here.
    """
    names = {row['id']: row['name'] for row in content['categories']}
    # a data set that maps categories by id may rename them; one that looks them up by name loses
    # unknown names, and uses the order of the file whatever that of the classes
    label_map = getattr(dataset.dataset, 'label_map', None)
    if label_map and not training:  # of a training that is checked elsewhere
        said = [label_map[label] for label in sorted(label_map)]
        if said != list(dataset.classes):
            findings.errors.append(
                f"{dataset.name}: '{dataset.ann_file}' is tested with the names of the file, which "
                'metainfo contradicts; remove metainfo or correct the names:\n'
                + both_sides('metainfo.classes', dataset.classes, 'file', said))
        return
    renames, ids = 'category_ids' in dataset.dataset.metainfo, _label_ids(dataset.dataset)
    if not renames and not hasattr(dataset.dataset, 'cat_ids'):
        return
    theirs, title = [names.get(i, f'none of id {i!r}') for i in ids], \
        f"{dataset.name}: '{dataset.ann_file}'"
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
    empty = [c for c, i in zip(dataset.classes, ids) if scored and not counts[i]]
    if empty and len(empty) == len(dataset.classes):
        findings.errors.append(f'{title} has no box of any class: it cannot be scored (test '
                               f'annotations are not public?)\n  metainfo.classes: {empty}\n'
                               f'  categories with boxes: {with_boxes}')
    elif empty:
        findings.notes.append(f'{title}: {len(empty)} of {len(dataset.classes)} classes have no '
                              f'boxes and count in no mean: {empty}')
    images = len(content.get('images', ()))
    if images > dataset.num_images:
        findings.warnings.append(
            f'{title} has {images} images, the data set {dataset.num_images}: published numbers '
            'count those without boxes too (filter_cfg, test_mode)')


def check_metric(dataset: TestedDataset, content: dict[str, Any], metric: Any,
                 findings: Findings) -> None:
    """Compare categories, labels and images of a metric's annotation file with the data set's.

    Label ``i`` must stand for the same category on both sides: data sets and metrics that order
    categories by id, by their place in the file or by name agree on some files only.
    """
    read = _read_by(metric, dataset, content, findings)
    if read is None:
        return
    theirs, known, labels = read
    title = f'{dataset.name}: {type(metric).__name__}'
    mine = {c['id']: c['name'] for c in content['categories']}
    if mine != theirs:
        findings.errors.append(
            f'{title} reads an annotation file with other categories than the data set:\n'
            + both_sides(dataset.ann_file, _rows(mine), 'metric', _rows(theirs)))
    own = list(_label_ids(dataset.dataset))
    label_map = getattr(dataset.dataset, 'label_map', None)
    if label_map:  # of GroundingDataset: labels ascend with the ids, without a super-category
        own = sorted(mine)[-len(label_map):]
    if own and labels is not None and own != labels:
        findings.errors.append(
            f'{title} takes labels for other categories than the data set does, so that right '
            'boxes would count as wrong; order the categories of the file by id, give each a name '
            'of its own, and name them so in metainfo.classes; id and name in label order:\n'
            + both_sides('data set', _rows({i: mine.get(i, '') for i in own}), 'metric',
                         _rows({i: theirs.get(i, '') for i in labels})))
    strange = [i['id'] for i in content['images'] if i['id'] not in known]
    missing = len(known) - len(content['images']) + len(strange)
    if strange or missing > 0:
        findings.errors.append(
            f"{title} reads an annotation file with other images than the data set's: "
            f"{len(strange)} of '{dataset.ann_file}' ({len(content['images'])} images, such as "
            f'{strange[:5]}) are not in it, and {missing} of its {len(known)} are not in that '
            'file: give both the same ann_file')


def _read_by(metric: Any, dataset: TestedDataset, content: dict[str, Any], findings: Findings
             ) -> tuple[dict[Any, str], set[Any], list[Any] | None] | None:
    """Return what a metric evaluates a data set with.

    Returns:
        Categories, id -> name; ids of images; and category ids in label order, None if unknown.
    """
    if hasattr(metric, 'truth'):  # LVISFixedAPMetric
        truth = metric.truth
        ids = truth.category_ids.tolist()
        return dict(zip(ids, truth.names)), set(truth.image_ids.tolist()), ids
    if isinstance(getattr(metric, 'datasets', None), dict):  # ODinWMetric
        path = metric.datasets.get(dataset.name)
        if path is None:
            findings.errors.append(
                f'{dataset.name}: {type(metric).__name__}.datasets does not name this data set, '
                f'so it would be scored by nothing; it names {sorted(metric.datasets)}')
            return None
        try:
            if Path(path) != Path(dataset.ann_file):
                content = read_coco(path)
            labels = metric.category_ids(dataset.name, content)
        except ValueError as error:
            findings.errors.append(f'{dataset.name}: {type(metric).__name__}: {error}')
            return None
        return (_names_of(content['categories']), {image['id'] for image in content['images']},
                labels)
    api = getattr(metric, '_coco_api', None) or getattr(metric, '_lvis_api', None)
    if api is None:
        reads = getattr(type(metric), 'process', None)  # another class may know the truth itself
        if (hasattr(metric, '_coco_api') and getattr(reads, '__module__', '').startswith('mmdet.')
                and not _brings_truth(dataset.dataset)):
            findings.errors.append(
                f'{dataset.name}: {type(metric).__name__} has no annotation file, and the samples '
                "bring no ground truth ('instances' is in no meta_keys of the pipeline): give it "
                f"ann_file='{dataset.ann_file}'")
        return None
    try:
        labels = _labels_of_api(metric, api, dataset)
    except DataError as error:  # the file lacks classes
        findings.errors.append(f'{dataset.name}: {type(metric).__name__}: {error}')
        return None
    return _names_of(api.dataset['categories']), set(api.get_img_ids()), labels


def _brings_truth(dataset: Any) -> bool:
    """Return True if samples may hold what MMDetection's ``CocoMetric`` reads without a file."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', None)
    return steps is None or any('instances' in getattr(s, 'meta_keys', ()) for s in steps)


def _labels_of_api(metric: Any, api: Any, dataset: TestedDataset) -> list[Any] | None:
    """Return the category ids in label order of a metric that keeps COCO's or LVIS's API."""
    if hasattr(metric, 'label_ids'):
        return list(metric.label_ids(dataset.dataset.metainfo))
    if not type(metric).__module__.startswith('mmdet.'):
        return None  # a class derived from MMDetection's may have labels of its own
    # they look categories up by name when they evaluate, in the order of the file
    return list(api.get_cat_ids(cat_names=dataset.classes) if hasattr(metric, '_coco_api')
                else api.get_cat_ids())


def _names_of(categories: list[dict[str, Any]]) -> dict[Any, str]:
    return {row['id']: row['name'] for row in categories}


def _rows(categories: dict[int, str]) -> list[str]:
    return [f'{i} {name}' for i, name in categories.items()]


def _plain(name: str) -> str:
    return ' '.join(name.replace('_', ' ').lower().split())
