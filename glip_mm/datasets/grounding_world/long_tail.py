"""Long-tailed vocabulary of 512 names with LVIS-like partial annotations."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .scene import Look, Thing
from .vocabulary import PATTERNS, SIZES, Pair, all_pairs

#: Offset of the power law; it limits the ratio of training frequencies to about 50.
_FLATTEN = 10
_SEED = 7
#: Number of training images that frequencies are counted in; they are sampled and not drawn.
TRAINING_IMAGES = 5000
#: Maximum number of training images of a rare, and of a common category, as in LVIS.
RARE, COMMON = 10, 100
NEGATIVES = 10
INCOMPLETE = 0.3


class Category(NamedTuple):
    """A size, a pattern, a colour and a shape."""

    size: str
    pattern: str
    pair: Pair

    @property
    def name(self) -> str:
        """Return the name, such as ``'large striped red circle'``."""
        pattern = '' if self.pattern == 'plain' else f'{self.pattern} '
        return f'{self.size} {pattern}{self.pair.name}'


@cache
def all_categories() -> tuple[Category, ...]:
    """List the 512 categories, in the order of their ids."""
    return tuple(Category(size, pattern, pair) for size in SIZES for pattern in PATTERNS
                 for pair in all_pairs())


def category_of(thing: Thing) -> Category:
    """Return the category of an object."""
    return Category(thing.size, thing.pattern, thing.pair)


@cache
def weights() -> np.ndarray:
    """Return the training frequency of each category, ``[512]``: a shuffled power law."""
    count = len(all_categories())
    falling = 1 / (np.arange(count) + _FLATTEN)
    return np.random.default_rng(_SEED).permutation(falling / falling.sum())


def draw_training_look(rng: np.random.Generator) -> Look:
    """Draw a look from the training distribution."""
    categories = all_categories()
    chosen = categories[rng.choice(len(categories), p=weights())]
    return chosen.pair, chosen.pattern, chosen.size


def draw_test_look(rng: np.random.Generator) -> Look:
    """Draw a look of a test image: half of them uniformly, so that the tail is tested, too."""
    if rng.random() < .5:
        return draw_training_look(rng)
    categories = all_categories()
    chosen = categories[rng.integers(len(categories))]
    return chosen.pair, chosen.pattern, chosen.size


@cache
def frequencies() -> tuple[tuple[str, int], ...]:
    """Return ``'r'``, ``'c'`` or ``'f'`` and the number of training images of each category."""
    rng = np.random.default_rng(_SEED + 1)
    shown = rng.random((TRAINING_IMAGES, 4)).argsort(axis=1)[:, 0] + 1  # 1 to 4 kinds an image
    counts = np.zeros(len(all_categories()), int)
    for kinds in shown:
        counts[np.unique(rng.choice(len(counts), size=kinds, p=weights()))] += 1
    return tuple(('r' if n <= RARE else 'c' if n <= COMMON else 'f', int(n)) for n in counts)


def lvis_annotations(file_names: Sequence[str], side: int, things: Sequence[Sequence[Thing]],
                     boxes: Sequence[Sequence[tuple[int, int, int, int]]], seed: int) -> dict:
    """Build the content of an LVIS annotation file.

    In LVIS the categories of an image are of four kinds: those with boxes, all of them or (listed
    as not exhaustive) some of them; those verified as absent; and all others, which are unknown and
    not evaluated.

    Args:
        file_names: File names of ``N`` images.
        side: Width and height in pixels.
        things: Objects of each image.
        boxes: Boxes of the objects, half-open xyxy.
        seed: Random seed of the omitted boxes and of the verified absences.

    Returns:
        Content of the JSON file.
    """
    categories = all_categories()
    ids: dict[Category, int] = {category: i for i, category in enumerate(categories, 1)}
    images: list[dict] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, found, places) in enumerate(zip(file_names, things, boxes), 1):
        rng = np.random.default_rng([seed, number])
        members: dict[int, list[tuple[int, int, int, int]]] = {}
        for thing, box in zip(found, places):
            members.setdefault(ids[category_of(thing)], []).append(box)
        incomplete = [i for i, own in members.items() if len(own) > 1 and
                      rng.random() < INCOMPLETE]
        absent = np.setdiff1d(np.arange(1, len(categories) + 1), list(members))
        images.append(dict(
            id=number, file_name=name, width=side, height=side,
            # LVIS readers derive the image's path from what follows the host
            coco_url=f'http://images.cocodataset.org/{name}',
            neg_category_ids=sorted(int(i) for i in rng.choice(absent, NEGATIVES, False)),
            not_exhaustive_category_ids=sorted(incomplete)))
        for category, own in members.items():
            for x1, y1, x2, y2 in own[:1] if category in incomplete else own:
                annotations.append(dict(
                    id=len(annotations) + 1, image_id=number, category_id=category,
                    bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1),
                    segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]]))
    instances = np.bincount([a['category_id'] for a in annotations], minlength=len(categories) + 1)
    return dict(images=images, annotations=annotations, categories=[
        dict(id=i, name=category.name, synset=category.name.replace(' ', '_') + '.n.01',
             synonyms=[category.name], frequency=frequency, image_count=count,
             instance_count=int(instances[i]))
        for (category, i), (frequency, count) in zip(ids.items(), frequencies())])
