"""Every resizing of MMCV and MMDetection, within the limit of pixels."""

import functools
import sys
from typing import Any

import mmdet.datasets.transforms  # noqa: F401  its steps hold MMCV's function by name
import numpy as np
from mmcv.image import geometric

from glip_mm.image_decoding import check_pixels


def limit_resizing() -> None:
    """Let MMCV's ``imresize``, by which all steps resize, refuse sizes that no image may have.

    Steps such as ``ResizeShortestEdge`` without ``max_size`` have no limit: a line of 1 x 100,000
    pixels would become one of 800 x 80,000,000. Idempotent.
    """
    whole = geometric.imresize
    if hasattr(whole, '__wrapped__'):
        return

    @functools.wraps(whole)
    def imresize(img: np.ndarray, size: tuple[int, int], *args: Any, **kwargs: Any) -> Any:
        check_pixels(*size)
        return whole(img, size, *args, **kwargs)

    for name, module in list(sys.modules.items()):
        if name.startswith(('mmcv', 'mmdet')) and vars(module).get('imresize') is whole:
            vars(module)['imresize'] = imresize
