import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms
from mmcv.ops import nms as mmcv_nms

from glip_mm.compat import has_mmcv_ops
from glip_mm.ops import nms as module
from glip_mm.ops.nms import greedy, nms

from .reference import STORED, draw_boxes, suppress


@pytest.mark.parametrize('block', [1, 7, 512])
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_a_loop_over_pairs(monkeypatch, block, offset):
    monkeypatch.setattr(module, 'BLOCK', block)
    for seed, threshold in enumerate((0.0, 0.3, 0.5, 0.6, 0.95)):
        boxes, scores = draw_boxes(60, seed, whole=seed % 2)
        kept = nms(boxes, scores, threshold, offset)
        assert kept.dtype == torch.int64
        assert kept.tolist() == suppress(boxes, scores, threshold, offset)


def test_a_long_chain_is_settled():
    # each box suppresses the next one only: every second one stays
    boxes = torch.stack([torch.tensor([4. * i, 0, 4. * i + 10, 10]) for i in range(300)])
    assert nms(boxes, torch.arange(300, 0, -1.), 0.4, 0).tolist() == list(range(0, 300, 2))
    assert nms(boxes[:0], torch.zeros(0), 0.4, 0).tolist() == []


def test_only_the_part_above_the_diagonal_decides():
    stays = greedy(torch.ones(2, 4, 4, dtype=torch.bool))
    assert stays.tolist() == [[True, False, False, False]] * 2


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_other_number_formats(dtype):
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30.]], dtype=dtype)
    assert nms(boxes, torch.tensor([.5, .9, .1], dtype=dtype), 0.5, 0).tolist() == [1, 2]


def test_boxes_without_area_stay():
    boxes = torch.tensor([[5., 5, 5, 5], [5, 5, 5, 5], [0, 0, 0, 9]])
    assert nms(boxes, torch.tensor([.3, .2, .1]), 0.5, 0).tolist() == [0, 1, 2]


@pytest.mark.parametrize('offset', [0, 1])
def test_stored_outputs_of_mmcvs_compiled_operator(offset):
    stored = np.load(STORED)
    boxes, scores = draw_boxes(400, 11)
    scores = scores + torch.arange(400) * 1e-5  # equal scores have no order there
    assert nms(boxes, scores, 0.5, offset).tolist() == stored[f'nms.{offset}'].tolist()


def test_through_mmcvs_wrappers():
    boxes, scores = draw_boxes(200, 5)
    scores = scores + torch.arange(200) * 1e-5
    dets, kept = mmcv_nms(boxes, scores, 0.5, offset=1, score_threshold=0.2, max_num=9)
    assert (dets[:, 4] > 0.2).all() and len(kept) == 9
    labels = torch.arange(200) % 3
    _, kept = batched_nms(boxes, scores, labels, dict(type='nms', iou_threshold=0.5))
    wanted = set()
    for label in range(3):
        members = (labels == label).nonzero().squeeze(1)
        wanted |= set(members[suppress(boxes[members], scores[members], 0.5, 0)].tolist())
    assert set(kept.tolist()) == wanted


@pytest.mark.skipif(not has_mmcv_ops(), reason='MMCV has no compiled operators here')
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_mmcvs_compiled_operator(offset):
    boxes, scores = draw_boxes(3000, 2)
    scores = scores + torch.arange(3000) * 1e-6
    _, kept = mmcv_nms(boxes, scores, 0.6, offset=offset)
    assert nms(boxes, scores, 0.6, offset).tolist() == kept.tolist()


@pytest.mark.gpu
def test_on_a_gpu():
    boxes, scores = draw_boxes(3000, 2)
    assert (nms(boxes.cuda(), scores.cuda(), 0.6, 1).tolist()
            == nms(boxes, scores, 0.6, 1).tolist())
