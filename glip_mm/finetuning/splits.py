"""Splits of a data set, and checks that they are usable and independent."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glip_mm.datasets.coco_file import categories_of, read_coco


@dataclass(frozen=True)
class Split:
    """A split: annotation file and folder of the images."""

    ann_file: Path
    images: Path


@dataclass(frozen=True)
class Splits:
    """A data set for fine-tuning.

    Attributes:
        name: Name of the data set in results.
        classes: Class names in ascending order of category id.
        train, val, test: Splits; without a test split, ``test`` is ``val``.
        caption_prompt: Published overrides of class names in the prompt.
        doubts: Reasons to doubt the results of a run, as sentences.
        description: What the data were recognised as, and by what.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    caption_prompt: dict[str, dict[str, str]] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    description: str = ''


def original_name(file_name: str) -> str:
    """Return the name of the picture that an exported image was made from.

    RoboFlow writes augmented copies of one picture as ``NAME.rf.HASH.jpg``.
    """
    return re.sub(r'\.rf\.[0-9A-Za-z]+(?=\.\w+$)', '', file_name)


def check_splits(splits: Splits) -> tuple[str, ...]:
    """Refuse splits that cannot be trained or evaluated on.

    Args:
        splits: Splits to check.

    Returns:
        Reasons to doubt results: classes that a split does not show, images of the val or test
        split that are in the training split, too.

    Raises:
        ValueError: If a split has no usable box, or two classes have the same name.
    """
    double = sorted(name for name, n in Counter(splits.classes).items() if n > 1)
    if double:
        raise ValueError(f"'{splits.train.ann_file}' has several categories called {double}, which "
                         'no words can tell apart: rename them, or make them one category')
    doubts, contents = [], {}
    for name in ('train', 'val', 'test'):
        split = getattr(splits, name)
        if split in contents:
            continue
        content = contents[split] = read_coco(str(split.ann_file))
        ids, _ = categories_of(content, str(split.ann_file), splits.classes)
        rows = content['annotations']
        counting = {a['category_id'] for a in rows if not a['iscrowd']}
        title = f"the {name} split '{split.ann_file}'"
        if not counting & set(ids):
            why = (f': its {len(rows)} annotations are all marked iscrowd, which is for groups '
                   'and neither learned nor scored: set iscrowd to 0' if rows and not counting
                   else f' ({len(rows)} annotations): annotate it, or take other images')
            raise ValueError(f'{title} has no boxes of any class of {list(splits.classes)}{why}')
        lacking = [c for i, c in zip(ids, splits.classes) if i not in counting]
        if lacking:
            names = f'{lacking[:20]}' + f' and {len(lacking) - 20} more' * (len(lacking) > 20)
            doubts.append(f'{title} has no boxes of the classes {names}: they are '
                          + ('not learned' if name == 'train' else 'left out of its mean'))
        if name != 'train':
            doubts += _learned_images(title, split, content, splits.train, contents[splits.train])
    return tuple(doubts)


def _learned_images(title: str, split: Split, content: dict[str, Any], train: Split,
                    learned: dict[str, Any]) -> list[str]:
    """Describe the images that are in the training split, too."""
    known = {key for keys in _identities(train, learned).values() for key in keys}
    double = [name for name, keys in _identities(split, content).items() if known & set(keys)]
    if not double:
        return []
    return [f"{len(double)} of the {len(content['images'])} images of {title} are learned from, "
            f"such as '{double[0]}': its results say how well they were learned by heart; take "
            'them out of one of the two splits']


def _identities(split: Split, content: dict[str, Any]) -> dict[str, list[Any]]:
    """Return file name -> identities of an image: its path, its original, its name and boxes."""
    boxes: dict[Any, list] = {}
    for row in content['annotations']:
        boxes.setdefault(row['image_id'], []).append(tuple(row['bbox']))
    found = {}
    for image in content['images']:
        name = str(image.get('file_name'))
        keys: list[Any] = [str((split.images / name).resolve())]
        if original_name(name) != name:
            keys.append(original_name(Path(name).name))
        if image['id'] in boxes:  # tells copies in another folder from other images named 1.jpg
            keys.append((Path(name).name, image['width'], image['height'],
                         tuple(sorted(boxes[image['id']]))))
        found[name] = keys
    return found
