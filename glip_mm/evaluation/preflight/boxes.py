"""Checks of boxes in a COCO-format file: inside their images, with listed classes and images."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .findings import Findings

#: Tolerance of edges outside the image in pixels, for rounding errors.
TOLERANCE = 1.
#: Share of boxes outside the image above which their format is doubted; published sets have 1 %.
DOUBTFUL = 0.1


def check_boxes(title: str, content: dict[str, Any], findings: Findings) -> None:
    """Find unusable boxes, and boxes in another format.

    Args:
        title: Data set and file, for messages.
        content: Content of a COCO-format file.
        findings: Findings to add to.
    """
    annotations = content.get('annotations') or []
    sizes = {i.get('id'): (i.get('width'), i.get('height')) for i in content.get('images', ())}
    categories = {c.get('id') for c in content.get('categories', ())}
    _unlisted(title, 'image_id', annotations, sizes, 'images', findings)
    _unlisted(title, 'category_id', annotations, categories, 'categories', findings)
    rows = [(a, sizes[a['image_id']]) for a in annotations if a.get('image_id') in sizes]
    bad = [a for a, _ in rows if not _four_numbers(a.get('bbox'))]
    if bad:
        findings.errors.append(f'{title}: {len(bad)} boxes are not four finite numbers, the first: '
                               f'{_shown(bad[0])}; correct or remove them')
    rows = [(a, size) for a, size in rows if _four_numbers(a.get('bbox'))
            and all(isinstance(side, (int, float)) and side > 0 for side in size)]
    if rows:
        _geometry(title, [a for a, _ in rows],
                  np.asarray([a['bbox'] for a, _ in rows], dtype=float),
                  np.asarray([size for _, size in rows], dtype=float), findings)


def _geometry(title: str, annotations: Sequence[dict], boxes: np.ndarray, sizes: np.ndarray,
              findings: Findings) -> None:
    begin, side = boxes[:, :2], boxes[:, 2:]
    end, count = begin + side, len(boxes)
    flat = (side <= 0).any(1)
    outside = ~flat & ((begin >= sizes) | (end <= 0)).any(1)
    sticks_out = ~flat & ~outside & ((begin < -TOLERANCE) | (end > sizes + TOLERANCE)).any(1)
    if boxes.min() >= 0 and boxes.max() <= 1 + 1e-3:
        findings.errors.append(
            f'{title}: all boxes lie between 0 and 1, such as {_shown(annotations[0])}: they look '
            'like fractions of the image; COCO has pixels [x, y, width, height]')
        return
    corners = (side > begin).all(1) & (side <= sizes + TOLERANCE).all(1) & (begin >= 0).all(1)
    if corners.all() and (outside | sticks_out).mean() >= DOUBTFUL:
        example = annotations[int(np.flatnonzero(outside | sticks_out)[0])]
        findings.errors.append(
            f'{title}: {int((outside | sticks_out).sum())} of {count} boxes leave their image, and '
            f'all would fit as [x1, y1, x2, y2], such as {_shown(example)}; COCO has [x, y, width, '
            'height]: subtract')
        return
    unusable = flat | outside
    if unusable.any():
        first = int(np.flatnonzero(unusable)[0])
        width, height = sizes[first].astype(int)
        target = findings.errors if unusable.all() else findings.warnings
        target.append(
            f'{title}: {int(unusable.sum())} of {count} boxes have no area or lie outside their '
            f'image and are of no use, the first: {_shown(annotations[first])} in an image of '
            f'{width} x {height}; correct or remove them')
    if sticks_out.any():
        first = int(np.flatnonzero(sticks_out)[0])
        width, height = sizes[first].astype(int)
        target = findings.warnings if sticks_out.mean() >= DOUBTFUL else findings.notes
        target.append(
            f'{title}: {int(sticks_out.sum())} of {count} boxes stick out of their image, the '
            f'first: {_shown(annotations[first])} in an image of {width} x {height}; they are '
            'clipped in training; where they are many, sizes or boxes of the file are wrong')


def _unlisted(title: str, key: str, annotations: Sequence[dict], known: Any, where: str,
              findings: Findings) -> None:
    stray = [a for a in annotations if a.get(key) not in known]
    if stray:
        target = findings.errors if len(stray) == len(annotations) else findings.warnings
        target.append(
            f'{title}: the {key} of {len(stray)} of {len(annotations)} annotations is not among '
            f"the file's {where}, so they are left out, the first: {_shown(stray[0])} has "
            f'{stray[0].get(key)!r}; list it or correct them')


def _four_numbers(box: Any) -> bool:
    return (isinstance(box, (list, tuple)) and len(box) == 4
            and all(isinstance(v, (int, float)) and np.isfinite(v) for v in box))


def _shown(annotation: dict) -> str:
    return f"annotation {annotation.get('id')!r} with bbox {annotation.get('bbox')!r}"
