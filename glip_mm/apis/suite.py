"""Test suites of annotated folders: finding the data sets, and the config that tests them."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.datasets.formats import OpenFolder, open_folder, recognise
from glip_mm.datasets.formats.opening import CERTAIN
from glip_mm.datasets.meta_keys import TEST_META_KEYS
from glip_mm.registry import type_name
from glip_mm.text.names import listed

from .benchmarks import remove_training

#: Folder for COCO-format files of sets in another format.
CONVERTED = Path('work_dirs/converted')


class FoundDataset(NamedTuple):
    """A data set of a suite."""

    name: str
    ann_file: Path
    images: Path
    classes: Sequence[str]
    num_images: int


def find_datasets(paths: str | Sequence[str], split: str = 'test', out: Path = CONVERTED
                  ) -> list[FoundDataset]:
    """Find data sets in folders, in any format of :data:`glip_mm.datasets.formats.FORMATS`.

    Args:
        paths: Folders of sets, or their annotation files; or folders of such folders.
        split: Name of the split, such as ``'test'`` or ``'val'``. A folder that is not divided
            is taken as a whole.
        out: Folder for COCO-format files of sets in another format.

    Returns:
        Sets in the order given, those of one folder by name.

    Raises:
        FileNotFoundError: If a path holds no set with this split, or images are not found.
        ValueError: If an annotation file is not of its format, or two sets have the same name.
    """
    found: list[FoundDataset] = []
    for text in listed(paths):
        path = Path(text)
        if path.is_dir():
            guess = recognise(path)
            sets = [] if guess and guess[1].confidence >= CERTAIN else list(_below(path))
            if sets:
                having = [(p, o) for p in sets if split_of(o := open_folder(p), split) is not None]
                if not having:
                    raise FileNotFoundError(f"none of the data sets below '{path}' has annotations "
                                            f"of split '{split}': {[p.name for p in sets]}")
                found += [_found('_'.join(p.relative_to(path).parts), o, split, out)
                          for p, o in having]
                continue
        found.append(_found(path.resolve().name if path.is_dir() else file_name(path),
                            open_folder(path), split, out))
    names = [d.name for d in found]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise ValueError(f'several data sets are called {double}: give folders of different '
                         'names, or the folder that holds them all')
    return found


def file_name(path: Path) -> str:
    """Return the name of the data set of an annotation file."""
    return path.stem if path.parent.name in ('', 'annotations') else path.resolve().parent.name


def split_of(opened: OpenFolder, split: str) -> str | None:
    """Return the name of a split, or that of the undivided whole; None if there is neither."""
    return split if split in opened.splits else '' if '' in opened.splits else None


def _below(folder: Path) -> Iterator[Path]:
    """Iterate over the folders of data sets; skip subfolders of a set."""
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith('.')):
        guess = recognise(path)
        if guess is None or guess[1].confidence < CERTAIN:
            yield from _below(path)
        else:
            yield path


def _found(name: str, opened: OpenFolder, split: str, out: Path) -> FoundDataset:
    which = split_of(opened, split)
    if which is None:
        raise FileNotFoundError(
            f"'{opened.path}' holds no annotations of split '{split}': as {opened.format.title} "
            f'({opened.reason}) it has {", ".join(map(repr, opened.splits))}; choose with --split')
    content = opened.content(which)
    ann_file = opened.coco_file(which, out / name)
    print_log(opened.describe(), 'current')
    return FoundDataset(name, ann_file, opened.image_folder(which, out / name),
                        opened.classes(which), len(content['images']))


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
        dataset=dict(type='glip_mm.ConcatDataset', pipeline=pipeline, datasets=[
            dict(type='glip_mm.ZeroShotDataset', dataset_name=d.name, ann_file=str(d.ann_file),
                 data_prefix=dict(img=str(d.images)), metainfo=dict(classes=list(d.classes)),
                 caption_prompt=overrides.get(d.name), test_mode=True)
            for d in datasets]))
    config.test_evaluator = dict(
        type='glip_mm.ODinWMetric', prefix='suite', renumber=True,
        datasets={d.name: str(d.ann_file) for d in datasets},
        num_classes={d.name: len(d.classes) for d in datasets})
    config.test_cfg = dict(type='glip_mm.ResumableTestLoop')
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
    if type_name(evaluator) != 'ODinWMetric' or 'datasets' not in loader:
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
        content = read_json(path)
    except DataError as error:
        raise DataError(f'prompts {error}') from error
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise DataError(f"prompts '{path}' must be {{data set: {{class: {{name, prefix, suffix}}}}"
                        f'}}, got {str(content)[:80]}')
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
