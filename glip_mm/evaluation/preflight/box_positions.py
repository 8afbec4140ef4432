"""Check that a training pipeline moves boxes and pixels alike.

Some samples pass the pipeline with a plain image in place of their own: once empty, once with a
bright rectangle, whose box is their only one. Where the two results differ, the network sees the
object; the box must lie there. This needs no knowledge of the transforms: whatever resizes, flips,
crops or turns is covered.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from glip_mm.datasets.stream.grounding_stream import seeded
from glip_mm.evaluation.tested_datasets import TestedDataset

from .findings import Findings
from .image_checks import some_samples

#: Number of samples, and of draws of the augmentation for each.
SAMPLES, DRAWS = 2, 4
#: Grey values of the image and of the rectangle, and the rectangle as shares of the image's sides:
#: off centre, so that no flip leaves it where it is.
DARK, BRIGHT = 64, 192
RECTANGLE = (0.10, 0.15, 0.45, 0.60)
#: Sides below which an image, and visible pixels below which an object, are too small to tell.
SMALLEST, VISIBLE = 24, 16
#: Share of a box that the object fills at least in most draws: transforms may hide a part of it.
FILLED = 0.5


class View(NamedTuple):
    """What a step of the pipeline leaves: an image ``[h, w]``, and boxes if they are loaded."""

    step: str
    image: np.ndarray
    boxes: np.ndarray | None


class Seen(NamedTuple):
    """Extent of the visible object and its box, each ``[4]`` xyxy, and the image's size."""

    object: np.ndarray
    box: np.ndarray
    size: tuple[int, ...]
    #: Whether pixels of the object lie outside the box.
    wrong: bool
    #: Share of the box that the object's extent fills.
    filled: float


def check_positions(dataset: TestedDataset, findings: Findings) -> None:
    """Find boxes that do not lie on their objects after the training pipeline.

    Args:
        dataset: Training set; one without annotations or transforms of its own is skipped.
        findings: Findings to add an error to.
    """
    steps = getattr(getattr(dataset.dataset, 'pipeline', None), 'transforms', None)
    if not isinstance(steps, Sequence):
        return
    found: list[Seen] = []
    for number, info in enumerate(some_samples(dataset, SAMPLES)):
        sample = _with_rectangle(info)
        for draw in range(DRAWS if sample else 0):
            views = _views(sample or {}, steps, number * DRAWS + draw)
            seen = _compare(views)
            if seen and seen.wrong:
                ends = range(1, len(views) + 1)
                at = next(i for i in ends if (one := _compare(views[:i])) and one.wrong)
                findings.errors.append(
                    f'{_described(dataset, sample or {}, seen)}. It goes wrong at '
                    f"{views[at - 1][1].step}: a transform moves the image without its boxes, or "
                    f'boxes twice; correct that pipeline, {[type(s).__name__ for s in steps]}')
                return
            found += [seen] if seen else []
    if found and np.median([seen.filled for seen in found]) < FILLED:
        thin = min(found, key=lambda seen: seen.filled)
        findings.errors.append(f'{_described(dataset, sample or {}, thin)}: boxes are larger than '
                               f'objects; correct that pipeline, '
                               f'{[type(s).__name__ for s in steps]}')


def _with_rectangle(info: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a sample's annotation with the rectangle as its only box; None if it has no box."""
    instances = info.get('instances')
    width, height = info.get('width'), info.get('height')
    if not instances or not width or not height or min(width, height) < SMALLEST:
        return None
    box = [float(round(share * side)) for share, side in zip(RECTANGLE, (width, height) * 2)]
    return dict(info, instances=[dict(instances[0], bbox=box, ignore_flag=0)])


def _views(sample: dict[str, Any], steps: Sequence[Any], seed: int) -> list[tuple[View, View]]:
    """Return the results of each step without and with the object; none if it is rejected."""
    both = []
    for bright in (False, True):
        # augmentation must not advance the random generators of the training
        with seeded(seed):
            both.append(_run(sample, steps, bright))
    same = [view.step for view in both[0]] == [view.step for view in both[1]]
    return list(zip(*both)) if same else []


def _run(sample: dict[str, Any], steps: Sequence[Any], bright: bool) -> list[View]:
    data: Any = dict(sample, instances=deepcopy(sample['instances']))
    views: list[View] = []
    try:
        for step in steps:
            data = step(data)
            if data is None:
                return []
            if not views and data.get('img') is not None:
                image = np.full_like(data['img'], DARK)
                if image.shape[:2] != (sample['height'], sample['width']):
                    return []  # reported as an image of another size
                if bright:
                    x1, y1, x2, y2 = map(int, sample['instances'][0]['bbox'])
                    image[y1:y2, x1:x2] = BRIGHT
                data['img'] = image
            view = _view(type(step).__name__, data)
            views += [view] if view else []
    # a broken sample, or transforms that need more than one box: that is reported elsewhere
    except (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError,
            ValueError):
        return []
    return views


def _view(step: str, data: Mapping[str, Any]) -> View | None:
    image, boxes = data.get('img'), data.get('gt_bboxes')
    if 'data_samples' in data and 'inputs' in data:
        image = np.moveaxis(np.asarray(data['inputs']), 0, -1)
        boxes = data['data_samples'].get('gt_instances', {}).get('bboxes')
    if not isinstance(image, np.ndarray) or image.ndim != 3:
        return None
    if boxes is not None:  # copied, as transforms may change them in place
        boxes = np.asarray(getattr(boxes, 'tensor', boxes)).astype(float).reshape(-1, 4)
    return View(step, image[..., 0].astype(float), boxes)


def _compare(views: Sequence[tuple[View, View]]) -> Seen | None:
    """Compare box and object after the last of some steps; None if one of them is not there."""
    if not views:
        return None
    dark, bright = views[-1]
    if dark.image.shape != bright.image.shape or bright.boxes is None or len(bright.boxes) != 1:
        return None
    change = np.abs(bright.image - dark.image)
    rows, columns = np.nonzero(change > max(change.max() / 2, 1e-6))
    if len(rows) < VISIBLE:
        return None
    extent = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)
    box = bright.boxes[0]
    # the last pixel of a published box is scaled, so that it lacks up to a scaled pixel
    scale = max(1., *(side / first for view, _ in views
                      for side, first in zip(view.image.shape, views[0][0].image.shape)))
    outside = np.concatenate((box[:2] - extent[:2], extent[2:] - box[2:]))
    area = np.prod(np.maximum(box[2:] - box[:2], 1))
    return Seen(extent, box, bright.image.shape, bool((outside > 1.5 + scale).any()),
                float(np.prod(extent[2:] - extent[:2]) / area))


def _described(dataset: TestedDataset, sample: Mapping[str, Any], seen: Seen) -> str:
    height, width = seen.size
    return (f"{dataset.name}: boxes do not lie on their objects in what train_dataloader's "
            f"pipeline gives the network: an object in '{sample.get('img_path')}' that is seen at "
            f'{_rounded(seen.object)} of {width} x {height} has the box {_rounded(seen.box)}')


def _rounded(box: np.ndarray) -> list[int]:
    return [round(value) for value in box.tolist()]
