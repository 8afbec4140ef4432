"""Splits of a folder, and the annotation files of a run."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from glip_mm.datasets.coco_file import categories_of, image_order, read_coco
from glip_mm.datasets.formats import OpenFolder, open_folder, recognise
from glip_mm.datasets.formats.opening import CERTAIN, write_coco

from .few_shot import greedy_shots, subset
from .splits import Split, Splits, check_splits, original_name


def folder_splits(folder: str | Path, val_fraction: float | None = None, seed: int = 0,
                  out: str | Path | None = None, format: str | None = None) -> Splits:
    """Find the splits of a folder in any format, see :func:`glip_mm.datasets.formats.open_folder`.

    Args:
        folder: Folder with the splits train, val and possibly test; or one that is not divided,
            which ``val_fraction`` divides; or the annotation file of such a folder.
        val_fraction: Share of the training images that becomes the val split if there is none.
        seed: Random seed of that division.
        out: Folder for annotation files of the division, or of a format other than COCO.
        format: Name of the format; default: the most confident guess.

    Raises:
        FileNotFoundError: If the folder or its training annotations are missing.
        ValueError: If there is no val split and no ``val_fraction``, if splits have different
            classes, or a split has no boxes.
    """
    folder, out = Path(folder), Path(out or folder)
    if not folder.exists():
        raise FileNotFoundError(f"--data '{folder}' is not a folder: give one that holds train, "
                                'val and test annotations')
    opened = _open(folder, format)
    first = next((name for name in ('train', '') if name in opened.splits), None)
    if first is None:
        raise FileNotFoundError(f'{opened.describe()}: it has no train split, only '
                                f'{", ".join(map(repr, opened.splits))}')
    parts: dict[str, str] = {'train': first}
    parts.update((n, n) for n in ('val', 'test') if n in opened.splits)
    untested = f"'{folder}' has no test split: tested on val"
    if 'test' in parts and not opened.content('test')['annotations']:
        del parts['test']
        untested = f"'{opened.splits['test'].source}' has no annotations: tested on val"
    classes = _common_classes(opened, parts)
    found = {part: Split(opened.coco_file(name, out), opened.image_folder(name, out))
             for part, name in parts.items()}
    if 'val' not in found:
        if val_fraction is None:
            raise ValueError(f"'{folder}' has no val split: add one, or divide the training images "
                             'with --val-fraction 0.2')
        found['train'], found['val'] = _divide(found['train'], opened.content(first),
                                               val_fraction, seed, out)
    elif val_fraction is not None:
        raise ValueError(f"--val-fraction {val_fraction} was given, but '{folder}' has a val split "
                         f"('{found['val'].ann_file}'): leave the option out")
    doubts: tuple[str, ...] = ()
    if 'test' not in found:
        doubts = (f'{untested}, which also chooses the checkpoint, so that results are better than '
                  'of images never seen', )
    splits = Splits(opened.name, classes, found['train'], found['val'],
                    found.get('test', found['val']), description=opened.describe())
    return replace(splits, doubts=(*doubts, *check_splits(splits)))


def _open(folder: Path, format: str | None) -> OpenFolder:
    guess = recognise(folder, format)
    if folder.is_dir() and (guess is None or guess[1].confidence < CERTAIN):
        below = [p.name for p in sorted(folder.iterdir()) if p.is_dir()
                 and (found := recognise(p)) and found[1].confidence >= CERTAIN]
        if below:
            raise FileNotFoundError(f"'{folder}' holds data sets in the folders {below}: give one "
                                    'of these as --data')
    return open_folder(folder, format)


def _common_classes(opened: OpenFolder, parts: dict[str, str]) -> tuple[str, ...]:
    """Return the classes of the training split, which all others must have."""
    classes = {part: opened.classes(name) for part, name in parts.items()}
    for part, names in classes.items():
        if names != classes['train']:
            raise ValueError(
                f"'{opened.splits[parts[part]].source}' has the classes {list(names)}, but "
                f"'{opened.splits[parts['train']].source}' has {list(classes['train'])}: all "
                'splits must have the same categories')
    return classes['train']


def _divide(train: Split, content: dict[str, list[dict]], fraction: float, seed: int,
            out: Path) -> tuple[Split, Split]:
    """Divide a training split; copies of one picture stay together."""
    if not 0 < fraction < 1:
        raise ValueError(f'--val-fraction {fraction} must be above 0 and below 1, such as 0.2')
    groups: dict[str, list[Any]] = {}
    for image in image_order(content['images']):
        groups.setdefault(original_name(image['file_name'] or str(image['id'])), []).append(
            image['id'])
    total = len(content['images'])
    count = round(fraction * total)
    drawn = list(groups.values())
    random.Random(seed).shuffle(drawn)
    chosen: list[Any] = []
    while drawn and len(chosen) + len(drawn[0]) / 2 <= count:
        chosen += drawn.pop(0)
    if not 0 < len(chosen) < total:
        raise ValueError(f'--val-fraction {fraction} of {total} images ({len(groups)} different '
                         f'pictures) leaves {len(chosen)} for val and {total - len(chosen)} for '
                         'training: each needs at least one')
    val = set(chosen)
    parts = []
    for name, wanted in (('train', False), ('val', True)):
        ids = [i['id'] for i in image_order(content['images']) if (i['id'] in val) == wanted]
        parts.append(Split(write_coco(out / f'{name}.json', subset(content, ids)), train.images))
    return parts[0], parts[1]


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
