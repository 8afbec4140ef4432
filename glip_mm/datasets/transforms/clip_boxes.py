"""Clipping of boxes to the image, as published: before any other transform."""

import numpy as np
from mmcv.transforms import BaseTransform

from glip_mm.registry import TRANSFORMS

from .box_conventions import clip_boxes

#: Keys with one entry per box.
PER_BOX = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks')


@TRANSFORMS.register_module()
class ClipBoxes(BaseTransform):
    """Clip boxes to the image and drop empty ones.

    Place it before resizing, as in the published training.

    Required keys: ``img`` (or ``height`` and ``width``); ``gt_bboxes`` and what goes with it.

    Modified keys: the ground truth.

    Args:
        convention: Convention of box edges. ``'inclusive'``, published: the last pixel is kept
            inside, and a box must be more than one pixel wide and high. ``'half_open'``,
            MMDetection's: edges are kept inside, and a box must have an area.
    """

    def __init__(self, convention: str = 'inclusive') -> None:
        self.inclusive = is_inclusive(convention, 'ClipBoxes.convention')

    def transform(self, results: dict) -> dict:
        """Clip the boxes.

        Args:
            results: Sample, see the class for its keys.

        Returns:
            The same dict, modified.
        """
        boxes = results.get('gt_bboxes')
        if boxes is None or not len(boxes):
            return results
        size = (results['img'].shape[:2] if results.get('img') is not None
                else (results['height'], results['width']))
        plain = isinstance(boxes, np.ndarray)
        values = boxes if plain else boxes.tensor
        if self.inclusive:
            values, keep = clip_boxes(values, size)
        else:
            values, keep = _clip_edges(values, size)
        results['gt_bboxes'] = values if plain else type(boxes)(values)
        keep = np.asarray(keep)
        if not keep.all():
            for key in PER_BOX:
                if key in results:
                    results[key] = results[key][keep]
        return results


def _clip_edges(boxes, size):
    height, width = size
    limit = (np.asarray((width, height) * 2, dtype=boxes.dtype)
             if isinstance(boxes, np.ndarray) else boxes.new_tensor((width, height) * 2))
    inside = boxes.clip(0 * limit, limit)
    return inside, ((inside[:, 2:] - inside[:, :2]) > 0).all(1)


def is_inclusive(convention: str, key: str) -> bool:
    """Return whether a convention is the published one.

    Raises:
        ValueError: If it is neither ``'inclusive'`` nor ``'half_open'``.
    """
    if convention not in ('inclusive', 'half_open'):
        raise ValueError(f"{key} must be 'inclusive' (published) or 'half_open' (MMDetection's), "
                         f'got {convention!r}')
    return convention == 'inclusive'
