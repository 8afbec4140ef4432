"""IoU in NumPy against pycocotools'."""

import numpy as np
import pytest
from pycocotools import mask

from glip_mm.box_iou import box_iou, paired_iou


def draw(count, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 50, (count, 2)), rng.uniform(0, 40, (count, 2))],
                          axis=1).astype(dtype)


def test_xywh_is_pycocotools_to_the_last_bit():
    a, b = draw(40, 0), draw(30, 1)
    a[:3] = b[:3]
    a[3, 2:] = 0
    wanted = np.asarray(mask.iou(a, b, [0] * len(b)))
    assert 0 < (wanted > 0).mean() < 1
    assert (paired_iou(a[:, None], b[None], xywh=True) == wanted).all()
    assert (paired_iou(a[:30], b, xywh=True) == wanted[:30].diagonal()).all()


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_xyxy(dtype):
    a, b = draw(40, 0, dtype), draw(30, 1, dtype)
    wanted = np.asarray(mask.iou(a.astype(float), b.astype(float), [0] * len(b)))
    for boxes in (a, b):
        boxes[:, 2:] += boxes[:, :2]
    found = box_iou(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, atol=1e-5 if dtype is np.float32 else 1e-12)


def test_borders_and_nothing():
    square, other = np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 5], [10, 0, 20, 10]])
    assert box_iou(square, other).tolist() == [[.5, 0.]]
    assert box_iou(square * 0, square * 0).tolist() == [[0.]]
    assert box_iou(np.zeros((0, 4)), other).shape == (0, 2)
