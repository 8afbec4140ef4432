"""Published rule of image sizes."""


import mmcv
from mmdet.datasets.transforms import Resize
from mmdet.structures.bbox import HorizontalBoxes

from glip_mm.registry import TRANSFORMS

from .box_conventions import clip_boxes, rescale_boxes
from .clip_boxes import is_inclusive


def short_side_size(size: tuple[int, int], short: int, longest: int) -> tuple[int, int]:
    """Compute height and width after resizing the short side (GLIP's evaluation).

    The short side becomes ``short``, or less so that the long side stays near ``longest``; the
    long side is rounded down, which can leave it one pixel above ``longest``.

    Args:
        size: Height and width.
        short: Target length of the short side.
        longest: Limit of the long side.

    Returns:
        New height and width.
    """
    low, high = min(size), max(size)
    if high / low * short > longest:
        short = round(longest * low / high)
    if short < 1:  # a line: the published rule leaves nothing of it
        return (1, longest) if size[0] <= size[1] else (longest, 1)
    long = int(short * high / low) if low != short else high
    return (short, long) if size[0] <= size[1] else (long, short)


@TRANSFORMS.register_module()
class ShortSideResize(Resize):
    """MMDetection's ``Resize`` with the sizes and the Pillow filter of the published results.

    MMDetection's own resizing rounds differently, by a pixel for some sizes.

    Args:
        scale: (short side, limit of the long side), in any order.
        backend: Image library; published results use Pillow.
        convention: Convention of boxes. ``'inclusive'``: boxes are clipped to the image and then
            scaled, as published, see :mod:`.box_conventions` (``ClipBoxes`` also drops boxes
            outside). ``'half_open'``: scaled and then clipped, as in MMDetection.
    """

    def __init__(self, scale: tuple[int, int], backend: str = 'pillow',
                 convention: str = 'inclusive', **kwargs) -> None:
        super().__init__(scale=scale, backend=backend, **dict(kwargs, keep_ratio=True))
        self.inclusive = is_inclusive(convention, 'ShortSideResize.convention')

    def _resize_bboxes(self, results: dict) -> None:
        boxes = results.get('gt_bboxes')
        if self.inclusive and isinstance(boxes, HorizontalBoxes):
            (height, width), factor = results['img_shape'], results['scale_factor']
            if self.clip_object_border:
                before = round(height / factor[1]), round(width / factor[0])
                boxes.tensor, _ = clip_boxes(boxes.tensor, before)
            boxes.tensor = rescale_boxes(boxes.tensor, factor)
        else:
            super()._resize_bboxes(results)

    def _resize_img(self, results: dict) -> None:
        if results.get('img') is None:
            return
        old = results['img'].shape[:2]
        height, width = short_side_size(old, min(results['scale']), max(results['scale']))
        if (height, width) != tuple(old):
            results['img'] = mmcv.imresize(results['img'], (width, height),
                                           interpolation=self.interpolation, backend=self.backend)
        results['img_shape'] = (height, width)
        results['scale_factor'] = (width / old[1], height / old[0])
        results['keep_ratio'] = True
