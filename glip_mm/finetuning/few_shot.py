"""Few-shot subsets by the published rule."""

import logging
import random
from collections import Counter, defaultdict
from typing import Any

from mmengine.logging import print_log


def greedy_shots(content: dict[str, Any], shots: int, seed: int = 0) -> list[Any]:
    """Choose images that show each class at least ``shots`` times, as the official code does.

    At first every category is wanted in ``shots`` images. Images are visited one after the
    other; one that shows a wanted category is kept, and *all* its categories are wanted once less.
    So a subset has more images of a frequent class than ``shots``.

    Images without boxes, or with boxes of at most one pixel only, are skipped, as in the
    official data sets. Source: ``CocoGrounding`` and ``COCODataset`` of the official code; the
    latter shuffles with a seed, the former ignores it.

    Args:
        content: Content of a COCO-format file.
        shots: Number of images per category, at least 1.
        seed: Random seed of the order of images: 0 for ascending ids, otherwise ids shuffled by
            Python's ``random.Random(seed)``.

    Returns:
        Ids of the images, in the order of their choice.

    Raises:
        ValueError: If ``shots`` is less than 1, or no category has as many images.
    """
    if shots < 1:
        raise ValueError(f'shots must be at least 1, got {shots}')
    held: dict[Any, set] = defaultdict(set)
    for annotation in content.get('annotations', ()):
        held[annotation['image_id']].add(annotation['category_id'])
    ids = sorted(images_with_boxes(content))
    available = Counter(category for i in ids for category in held[i])
    _check_available(content, available, shots)
    if seed:
        random.Random(seed).shuffle(ids)
    wanted = dict.fromkeys(available, shots)
    chosen = []
    for i in ids:
        if any(wanted[c] > 0 for c in held[i]):
            chosen.append(i)
            for c in held[i]:
                wanted[c] -= 1
    return chosen


def images_with_boxes(content: dict[str, Any]) -> set[Any]:
    """Return the ids of a COCO-format file's images with a box of more than a pixel."""
    large = {a['image_id'] for a in content.get('annotations', ()) if min(a['bbox'][2:]) > 1}
    return {image['id'] for image in content['images'] if image['id'] in large}


def _check_available(content: dict[str, Any], available: Counter, shots: int) -> None:
    if not available:
        raise ValueError('no image has a box: a few-shot subset would be empty')
    if max(available.values()) < shots:
        raise ValueError(f'{shots} shots are more than there are: the most frequent class is in '
                         f'{max(available.values())} images; give fewer --shots, or --shots all')
    names = {row['id']: row['name'] for row in content['categories']}
    few = {names.get(c, c): n for c, n in sorted(available.items()) if n < shots}
    if few:
        print_log(f'fewer than {shots} images have boxes of these classes, all are taken: {few}',
                  'current', logging.WARNING)


def subset(content: dict[str, Any], ids: list[Any]) -> dict[str, Any]:
    """Return a COCO-format file's content with some images only; its categories stay."""
    kept = set(ids)
    by_id = {image['id']: image for image in content['images']}
    return dict(content, images=[by_id[i] for i in ids],
                annotations=[a for a in content.get('annotations', ()) if a['image_id'] in kept])
