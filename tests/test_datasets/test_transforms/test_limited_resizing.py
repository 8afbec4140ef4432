"""Resizing has a limit, whichever step does it."""

import mmcv
import numpy as np
import pytest

import glip_mm.datasets  # noqa: F401  sets the limit
from glip_mm.registry import TRANSFORMS


@pytest.mark.parametrize('step', [
    dict(type='ResizeShortestEdge', scale=800), dict(type='mmdet.ResizeShortestEdge', scale=800),
    dict(type='mmdet.Resize', scale_factor=800.), dict(type='mmcv.Resize', scale_factor=800.),
    dict(type='mmdet.Resize', scale=(80_000_000, 800)),
    dict(type='mmdet.FixScaleResize', scale=(80_000_000, 800), keep_ratio=True),
    dict(type='RandomChoice', transforms=[[dict(type='mmdet.Resize', scale_factor=800.)]]),
    dict(type='ShortSideResize', scale=(80_000_000, 800))])
def test_a_line_does_not_fill_the_memory(step):
    resize = TRANSFORMS.build(step)
    with pytest.raises(ValueError, match='resized to 80000000 x 800: .* set GLIP_MM_MAX_PIXELS'):
        resize(dict(img=np.zeros((1, 100_000, 3), np.uint8)))


def test_what_is_small_is_resized():
    bounded = TRANSFORMS.build(dict(type='mmdet.ResizeShortestEdge', scale=8, max_size=100))
    assert bounded(dict(img=np.zeros((4, 8, 3), np.uint8)))['img'].shape == (8, 16, 3)
    assert mmcv.imrescale(np.zeros((4, 8)), (16, 8)).shape == (8, 16)
