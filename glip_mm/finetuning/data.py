"""Splits of a folder in COCO format, and the annotation files of a run."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from glip_mm.apis.suite import FoundDataset, find_datasets
from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.coco_file import categories_of, read_coco

from .few_shot import greedy_shots, subset
from .splits import Split, Splits, check_splits

#: Names of the only annotation file of a folder without splits.
UNDIVIDED = ('_annotations.coco.json', 'annotations.json', 'annotations/annotations.json')


def folder_splits(folder: str | Path, val_fraction: float | None = None, seed: int = 0,
                  out: str | Path | None = None) -> Splits:
    """Find the splits of a folder in a usual layout, see :func:`glip_mm.apis.suite.find_datasets`.

    Args:
        folder: Folder with ``train``, ``val`` (or ``valid``) and possibly ``test``; or with one
            annotation file, which ``val_fraction`` divides.
        val_fraction: Share of the training images that becomes the val split if there is none.
        seed: Random seed of that division.
        out: Folder for the annotation files of the division.

    Raises:
        FileNotFoundError: If the folder or its training annotations are missing.
        ValueError: If there is no val split and no ``val_fraction``, if splits have different
            classes, or a split has no boxes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"--data '{folder}' is not a folder: give one that holds train, "
                                'val and test annotations in COCO format')
    train = _find(folder, 'train') or _undivided(folder)
    if train is None:
        # the message lists every place that was searched
        below = [d.name for d in find_datasets([str(folder)], 'train')]
        raise FileNotFoundError(f"'{folder}' holds data sets in the folders {below}: give one of "
                                'these as --data')
    name = folder.resolve().name
    val, test = _find(folder, 'val'), _find(folder, 'test')
    if val is None:
        if val_fraction is None:
            raise ValueError(f"'{folder}' has no val split: add one (valid/_annotations.coco.json "
                             'or val.json), or divide the training images with --val-fraction 0.2')
        train, val = _divide(train, val_fraction, seed, Path(out or folder))
    elif val_fraction is not None:
        raise ValueError(f"--val-fraction {val_fraction} was given, but '{folder}' has a val split "
                         f"('{val.ann_file}'): leave the option out")
    doubts: tuple[str, ...] = ()
    if test is None:
        doubts = (f"'{folder}' has no test split: tested on val, which also chooses the "
                  'checkpoint, so that results are better than of images never seen', )
        test = val
    for part in (val, test):
        if tuple(part.classes) != tuple(train.classes):
            raise ValueError(f"'{part.ann_file}' has the classes {list(part.classes)}, but "
                             f"'{train.ann_file}' has {list(train.classes)}: all splits must have "
                             'the same categories')
    splits = Splits(name, tuple(train.classes), Split(train.ann_file, train.images),
                    Split(val.ann_file, val.images), Split(test.ann_file, test.images))
    return replace(splits, doubts=(*doubts, *check_splits(splits)))


def _find(folder: Path, split: str) -> FoundDataset | None:
    try:
        found = find_datasets([str(folder)], split)
    except FileNotFoundError as error:
        # a missing split is no error, a broken one is
        if 'holds no COCO-format annotations' in str(error):
            return None
        raise
    inside = [f for f in found if f.name == folder.resolve().name]
    return inside[0] if inside else None


def _undivided(folder: Path) -> FoundDataset | None:
    for name in UNDIVIDED:
        if (folder / name).is_file():
            return find_datasets([str(folder / name)], 'train')[0]
    return None


def _divide(train: FoundDataset, fraction: float, seed: int,
            out: Path) -> tuple[FoundDataset, FoundDataset]:
    if not 0 < fraction < 1:
        raise ValueError(f'--val-fraction {fraction} must be above 0 and below 1, such as 0.2')
    content = read_coco(str(train.ann_file))
    ids = sorted(image['id'] for image in content['images'])
    count = round(fraction * len(ids))
    if not 0 < count < len(ids):
        raise ValueError(f'--val-fraction {fraction} of {len(ids)} images leaves {count} for val '
                         f'and {len(ids) - count} for training: each needs at least one')
    random.Random(seed).shuffle(ids)
    parts = []
    for name, chosen in (('train', sorted(ids[count:])), ('val', sorted(ids[:count]))):
        path = write_coco(out / f'{name}.json', subset(content, chosen))
        parts.append(train._replace(ann_file=path, num_images=len(chosen)))
    return parts[0], parts[1]


def write_coco(path: Path, content: dict[str, Any]) -> Path:
    """Write a COCO-format file of a run, with a digest of its content in its name.

    Returns:
        Its path, such as ``val_1f0c9a2b.json`` for ``val.json``.
    """
    text = json.dumps(content).encode()
    return Path(write_atomically(path.with_stem(f'{path.stem}_{digest_of(text)}'), text))


def digest_of(content: bytes) -> str:
    """Return eight hexadecimal digits that identify a content."""
    return hashlib.sha256(content).hexdigest()[:8]


def with_shots(splits: Splits, shots: int | None, seed: int, out: Path,
               train_file: str | Path | None = None) -> Splits:
    """Replace the training split by a few-shot subset.

    Args:
        splits: Splits of the data set.
        shots: Number of images per class, see :func:`.few_shot.greedy_shots`; None for all images.
        seed: Random seed of the subset.
        out: Folder for the subset's annotation file.
        train_file: Prepared annotation file to use instead.

    Raises:
        FileNotFoundError: If the prepared file is missing.
        ValueError: If it has other categories, or there are fewer images than ``shots``.
    """
    if train_file is not None:
        content = read_coco(str(train_file))
        categories_of(content, str(train_file), splits.classes)
        changed = replace(splits, train=Split(Path(train_file), splits.train.images))
        return replace(changed, doubts=tuple(dict.fromkeys(
            (*splits.doubts, *check_splits(changed)))))
    if shots is None:
        return splits
    content = read_coco(str(splits.train.ann_file))
    ids: Sequence[Any] = greedy_shots(content, shots, seed)
    path = write_coco(out / f'train_{shots}shot_seed{seed}.json', subset(content, list(ids)))
    print_log(f'{shots} shots, seed {seed}: {len(ids)} of {len(content["images"])} images',
              'current')
    return replace(splits, train=Split(path, splits.train.images))
