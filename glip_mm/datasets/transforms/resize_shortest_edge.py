"""MMDetection's resizing of the short side, within the limit of pixels."""

from typing import Any

from mmdet.datasets.transforms import ResizeShortestEdge as _ResizeShortestEdge

from glip_mm.image_decoding import check_pixels
from glip_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeShortestEdge(_ResizeShortestEdge):
    """MMDetection's ``ResizeShortestEdge``, which without ``max_size`` has no limit.

    A line of 1 x 100,000 pixels would become one of 800 x 80,000,000.

    Raises:
        ValueError: If the resized image would have more pixels than any may have.
    """

    def _get_output_shape(self, *args: Any) -> tuple[int, int]:
        size = super()._get_output_shape(*args)
        check_pixels(*size)
        return size
