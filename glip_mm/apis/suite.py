"""Test suites of COCO-format folders: finding the data sets, and the config that tests them."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict

from glip_mm.datasets.coco_file import categories_of, read_coco
from glip_mm.datasets.meta_keys import TEST_META_KEYS
from glip_mm.datasets.unknown_format import other_format

from .benchmarks import remove_training

#: Names of each split in folders and file names.
ALIASES = dict(val=('val', 'valid', 'validation', 'val2017'), test=('test', 'test2017'),
               train=('train', 'train2017'), minival=('minival', 'mini_val'))
#: Paths of annotation files relative to a data set's folder; {} is the split.
ANNOTATIONS = (
    '{}/annotations_without_background.json', '{}_annotations_without_background.json',
    '{}/_annotations.coco.json', '{}.json', '{}/annotations.json', 'annotations/{}.json',
    'annotations/instances_{}.json', '{}_annotations.json', '{}/{}.json')


class FoundDataset(NamedTuple):
    """A data set of a suite."""

    name: str
    ann_file: Path
    images: Path
    classes: Sequence[str]
    num_images: int


def find_datasets(paths: Sequence[str], split: str = 'test') -> list[FoundDataset]:
    """Find COCO-format data sets in folders.

    A path is an annotation file; or the folder of a set, in a layout of :data:`ANNOTATIONS`
    (ODinW's, RoboFlow's, COCO's, or ``SPLIT.json`` beside ``images``); or a folder of such folders.

    Args:
        paths: Files and folders.
        split: Name of the split, such as ``'test'`` or ``'val'``.

    Returns:
        Sets in the order given, those of one folder by name.

    Raises:
        FileNotFoundError: If a path holds no set, or a set's images are not found.
        ValueError: If an annotation file is not of this format, or two sets have the same name.
    """
    found: list[FoundDataset] = []
    for text in paths:
        path = Path(text)
        if path.is_file():
            found.append(_open(path.stem if path.parent.name in ('', 'annotations')
                               else path.resolve().parent.name, path, path.parent, split))
            continue
        if not path.is_dir():
            raise FileNotFoundError(f"'{path}' is neither a folder nor an annotation file")
        ann_file = _annotation_file(path, split)
        if ann_file:
            found.append(_open(path.resolve().name, ann_file, path, split))
            continue
        below = list(_below(path, split))
        if not below:
            raise FileNotFoundError(
                f"'{path}' holds no COCO-format annotations of split '{split}': looked for "
                f'{", ".join(a.format(split, split) for a in ANNOTATIONS)} there and in the '
                f'folders below{other_format(path)}')
        found += [_open('_'.join(p.relative_to(path).parts), a, p, split) for p, a in below]
    names = [d.name for d in found]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise ValueError(f'several data sets are called {double}: give folders of different '
                         'names, or the folder that holds them all')
    return found


def _annotation_file(folder: Path, split: str) -> Path | None:
    for name in ALIASES.get(split, (split, )):
        for pattern in ANNOTATIONS:
            path = folder / pattern.format(name, name)
            if path.is_file():
                return path
    return None


def _below(folder: Path, split: str) -> Iterator[tuple[Path, Path]]:
    """Iterate over folders of data sets and their annotation files; skip subfolders of a set."""
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        ann_file = _annotation_file(path, split)
        if ann_file:
            yield path, ann_file
        else:
            yield from _below(path, split)


def _open(name: str, ann_file: Path, folder: Path, split: str) -> FoundDataset:
    content = read_coco(str(ann_file))
    annotated = {a['category_id'] for a in content.get('annotations', ())}
    rows = sorted(content['categories'], key=lambda row: row['id'])
    # RoboFlow's exports begin with a supercategory that has no boxes
    if len(rows) > 1 and rows[0]['id'] == 0 and 0 not in annotated and all(
            row.get('supercategory') == rows[0]['name'] for row in rows[1:]):
        rows = rows[1:]
    _, classes = categories_of(content, str(ann_file), [row['name'] for row in rows])
    first = content['images'][0].get('file_name') or ''
    places = [ann_file.parent, folder, folder / 'images', ann_file.parent / 'images']
    places += [base / alias for alias in ALIASES.get(split, (split, ))
               for base in (folder, folder / 'images', ann_file.parent)]
    for place in dict.fromkeys(places):
        if (place / first).is_file():
            return FoundDataset(name, ann_file, place, classes, len(content['images']))
    raise FileNotFoundError(
        f"the images of '{ann_file}' are not found: '{first}' is in none of "
        f'{", ".join(map(str, dict.fromkeys(places)))}'
        + ('; in file_name folders are separated by /' if '\\' in first else ''))


def suite_config(config: Config, datasets: Sequence[FoundDataset],
                 prompts: str | None = None) -> Config:
    """Build a config that tests data sets with another config's model and image pipeline.

    Args:
        config: Config with ``test_pipeline``, or a ``test_dataloader`` whose pipeline is taken.
        datasets: Data sets to test, at least one.
        prompts: JSON file ``{set: {class: {prefix, name, suffix}}}`` with the wording of classes
            in the prompt; sets and classes that it does not name keep their own names.

    Returns:
        A changed copy of ``config``.

    Raises:
        ValueError: If ``prompts`` names a set or class that does not exist.
        KeyError: If the config has no pipeline.
    """
    config = deepcopy(config)
    overrides = _read_prompts(prompts, datasets)
    pipeline = test_pipeline_of(config)
    loader = config.get('test_dataloader') or {}
    config.test_dataloader = dict(
        batch_size=loader.get('batch_size', 1), num_workers=loader.get('num_workers', 2),
        persistent_workers=bool(loader.get('num_workers', 2)), drop_last=False,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='ConcatDataset', datasets=[
            dict(type='ZeroShotDataset', dataset_name=d.name, ann_file=str(d.ann_file),
                 data_prefix=dict(img=str(d.images)), metainfo=dict(classes=list(d.classes)),
                 caption_prompt=overrides.get(d.name), test_mode=True, pipeline=pipeline)
            for d in datasets]))
    config.test_evaluator = dict(
        type='ODinWMetric', prefix='suite', renumber=True,
        datasets={d.name: str(d.ann_file) for d in datasets},
        num_classes={d.name: len(d.classes) for d in datasets})
    config.test_cfg = dict(type='ResumableTestLoop')
    remove_training(config)
    config.pop('benchmark', None)
    return config


def present_part(config: Config) -> list[str]:
    """Remove from an ODinW config, in place, the data sets whose annotations are missing.

    Returns:
        Names of the sets left out.

    Raises:
        FileNotFoundError: If all are missing.
        ValueError: If the config tests no suite.
    """
    evaluator, loader = config.test_evaluator, config.test_dataloader.dataset
    if evaluator.get('type') != 'ODinWMetric' or 'datasets' not in loader:
        raise ValueError("--skip-missing needs a config with test_evaluator.type='ODinWMetric' "
                         'and one data set for each of its sets')
    missing = [n for n, path in evaluator.datasets.items() if not Path(path).is_file()]
    if len(missing) == len(evaluator.datasets):
        raise FileNotFoundError(
            f"no data set of the suite is there: '{evaluator.datasets[missing[0]]}' and all "
            'others are missing; docs/evaluation.md says where they go')
    evaluator.suite_size = len(evaluator.datasets)
    loader.datasets = [d for d in loader.datasets if d.dataset_name not in missing]
    for name in missing:
        evaluator.datasets.pop(name)
    return missing


def test_pipeline_of(config: Config) -> list[dict]:
    """Return the test pipeline of a config, extended by the meta keys that a suite's metric needs.

    Raises:
        KeyError: If the config has no test pipeline.
    """
    pipeline: Any = config.get('test_pipeline')
    if pipeline is None:
        dataset: Any = (config.get('test_dataloader') or {}).get('dataset') or {}
        while not dataset.get('pipeline') and (dataset.get('dataset') or dataset.get('datasets')):
            dataset = dataset.get('dataset') or dataset['datasets'][0]
        pipeline = dataset.get('pipeline')
    if not pipeline:
        raise KeyError('the config has neither test_pipeline nor test_dataloader.dataset.pipeline: '
                       'how images are read is not known')
    pipeline = [ConfigDict(step) for step in deepcopy(pipeline)]
    pack = pipeline[-1]
    pack.meta_keys = tuple(dict.fromkeys((*pack.get('meta_keys', ()), *TEST_META_KEYS)))
    return pipeline


def _read_prompts(path: str | None, datasets: Sequence[FoundDataset]) -> dict:
    if path is None:
        return {}
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f"prompts '{path}' is not valid JSON ({error})") from error
    known = {d.name: d.classes for d in datasets}
    for name, classes in content.items():
        if name not in known:
            raise ValueError(f"prompts '{path}' names the data set '{name}'; there are "
                             f'{sorted(known)}')
        strange = sorted(set(classes) - set(known[name]))
        if strange:
            raise ValueError(f"prompts '{path}': '{name}' has no class {strange}; it has "
                             f'{list(known[name])}')
    return content
