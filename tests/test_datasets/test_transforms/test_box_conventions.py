"""Boxes after resizing, flipping and clipping, against the published numbers."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from glip_mm.datasets.transforms import ClipBoxes, FlipWithWords, ShortSideResize
from glip_mm.datasets.transforms.box_conventions import (
    clip_boxes,
    flip_boxes,
    to_half_open,
    to_inclusive,
)
from glip_mm.datasets.transforms.short_side_resize import short_side_size

XYWH = np.array([[10., 20., 30., 40.]])
HALF_OPEN = np.array([[10., 20., 40., 60.]])  # x2 = x + w


def sample(boxes, size=(80, 100)):
    n = len(boxes)
    return dict(img=np.zeros((*size, 3), dtype=np.uint8), gt_bboxes=np.float32(boxes),
                gt_bboxes_labels=np.arange(n), gt_ignore_flags=np.zeros(n, dtype=bool))


@pytest.mark.parametrize('kind', [np.asarray, torch.tensor])
def test_published_vectors(kind):
    boxes = kind(HALF_OPEN)
    assert to_inclusive(boxes).tolist() == [[10, 20, 39, 59]]
    assert to_inclusive(flip_boxes(boxes, 100)).tolist() == [[60, 20, 89, 59]]
    area = to_inclusive(boxes)[:, 2:] - to_inclusive(boxes)[:, :2] + 1
    assert area.prod().item() == 1200
    assert to_half_open(to_inclusive(boxes)).tolist() == HALF_OPEN.tolist()


def test_mmdet_flips_half_open_boxes_as_published():
    boxes = HorizontalBoxes(torch.tensor(HALF_OPEN))
    boxes.flip_((80, 100), 'horizontal')
    assert boxes.tensor.tolist() == flip_boxes(HALF_OPEN, 100).tolist()


@pytest.mark.parametrize('size, wanted', [
    ((640, 480), (800, 1066)), ((640, 427), (800, 1199)), ((500, 375), (800, 1066)),
    ((1024, 300), (391, 1334)), ((481, 640), (1064, 800)), ((640, 360), (750, 1333)),
    ((3000, 2000), (800, 1200)), ((612, 612), (800, 800))])
def test_published_sizes(size, wanted):
    """Given as width and height; wanted are height and width."""
    assert short_side_size(size[::-1], 800, 1333) == wanted


@pytest.mark.parametrize('size', [(480, 640), (2000, 3000), (300, 1024)])
def test_resizing_scales_the_last_pixel(size):
    boxes = np.array([[3, 5, 200, 250], [0, 0, size[1], size[0]]], dtype=np.float32)
    out = ShortSideResize(scale=(800, 1333))(sample(boxes, size))
    new = out['img'].shape[:2]
    factor = np.array([new[1] / size[1], new[0] / size[0]] * 2)
    # the published rule: inclusive corners times the factor, nothing else
    np.testing.assert_allclose(to_inclusive(out['gt_bboxes']), to_inclusive(boxes) * factor,
                               rtol=1e-6)
    plain = ShortSideResize(scale=(800, 1333), convention='half_open')(sample(boxes, size))
    np.testing.assert_allclose(plain['gt_bboxes'],
                               np.minimum(boxes * factor, np.array([*new[::-1]] * 2)), rtol=1e-6)
    assert np.abs(plain['gt_bboxes'] - out['gt_bboxes']).max() > 0.1


def test_clipping_is_published():
    boxes = np.array([[-5., -5., 120., 90.], [98, 10, 99, 40], [98, 10, 100, 40], [99, 1, 130, 9]])
    clipped, keep = clip_boxes(boxes, (80, 100))
    assert to_inclusive(clipped)[0].tolist() == [0, 0, 99, 79]
    # one pixel wide is nothing
    assert keep.tolist() == [True, False, True, False]
    out = ClipBoxes()(sample(boxes))
    assert out['gt_bboxes'].tolist() == [[0, 0, 100, 80], [98, 10, 100, 40]]
    assert out['gt_bboxes_labels'].tolist() == [0, 2] and len(out['gt_ignore_flags']) == 2
    assert ClipBoxes('half_open')(sample(boxes))['gt_bboxes_labels'].tolist() == [0, 1, 2, 3]


def test_clipping_works_on_box_objects_and_leaves_the_input_alone():
    given = sample([[-5., 0., 20., 20.]])
    given['gt_bboxes'] = HorizontalBoxes(torch.tensor(given['gt_bboxes']))
    before = given['gt_bboxes'].tensor.clone()
    kept = given['gt_bboxes']
    out = ClipBoxes()(given)
    assert isinstance(out['gt_bboxes'], HorizontalBoxes)
    assert out['gt_bboxes'].tensor.tolist() == [[0, 0, 20, 20]]
    assert torch.equal(kept.tensor, before)


def test_all_of_the_published_pipeline():
    """xywh [10, 20, 30, 40] in 100 x 80, doubled and mirrored, in inclusive corners."""
    out = sample(np.hstack((XYWH[:, :2], XYWH[:, :2] + XYWH[:, 2:])))
    for transform in (ClipBoxes(), ShortSideResize(scale=(160, 1333)), FlipWithWords(prob=1.0)):
        out = transform(out)
    assert out['img'].shape[:2] == (160, 200)
    x1, x2 = 10 * 2, 39 * 2
    np.testing.assert_allclose(to_inclusive(out['gt_bboxes']),
                               [[200 - x2 - 1, 40, 200 - x1 - 1, 118]])


def test_unknown_convention():
    with pytest.raises(ValueError, match="ShortSideResize.convention must be 'inclusive'"):
        ShortSideResize(scale=(800, 1333), convention='legacy')
