"""Resizing of the short side has a limit."""

import numpy as np
import pytest

from glip_mm.registry import TRANSFORMS


def test_a_line_does_not_fill_the_memory():
    resize = TRANSFORMS.build(dict(type='ResizeShortestEdge', scale=800))
    with pytest.raises(ValueError, match='resized to 80000000 x 800: .* set GLIP_MM_MAX_PIXELS'):
        resize(dict(img=np.zeros((1, 100_000, 3), np.uint8)))
    bounded = TRANSFORMS.build(dict(type='ResizeShortestEdge', scale=8, max_size=100))
    assert bounded(dict(img=np.zeros((4, 8, 3), np.uint8)))['img'].shape == (8, 16, 3)
