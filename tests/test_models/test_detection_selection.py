import pytest
import torch
from mmengine.structures import InstanceData

from glip_mm.models.dense_heads import inclusive_boxes
from glip_mm.models.dense_heads.detection_selection import (
    LevelOutput,
    best_candidates,
    merge_chunks,
    select_detections,
)
from glip_mm.models.dense_heads.inclusive_boxes import (
    best_first,
    class_aware_nms,
    clip,
    decode,
    encode,
    nms_at_once,
    nms_by_label,
    to_half_open,
    to_inclusive,
)
from glip_mm.models.dense_heads.prediction_settings import PredictionSettings
from glip_mm.models.dense_heads.score_aggregation import aggregate_scores


def level(probs, centerness, anchors):
    """One image; ``probs`` [A, L], anchors found where they stand."""
    probs = torch.tensor(probs)[None]
    return LevelOutput(probs.logit(), torch.zeros(1, len(anchors), 4),
                       torch.tensor(centerness)[None].logit(), torch.tensor(anchors))


APART = [[0.0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]]
ONE_TOKEN_EACH = torch.eye(2)[None]


def select(levels, token_map=ONE_TOKEN_EACH, **kwargs):
    return select_detections(levels, token_map, [(50, 60)], PredictionSettings(**kwargs))[0]


@pytest.mark.parametrize('count', [1, 5, 40])
def test_best_candidates_are_the_top_k_that_are_any(count):
    torch.manual_seed(0)
    ranked = torch.rand(3, 40)
    ranked[0, 3:] = -1
    ranked[1] = -1
    best, index = best_candidates(ranked, count)
    wanted, _ = ranked.topk(count, dim=1)
    assert torch.equal(best, wanted[:, :best.shape[1]]) and (wanted[:, best.shape[1]:] < 0).all()
    assert torch.equal(ranked.gather(1, index)[best >= 0], best[best >= 0])
    none, _ = best_candidates(ranked[1:2], count)
    assert none.shape == (1, 0)


def test_autocast_does_not_round_scores():
    probs = torch.linspace(0.2, 0.9, 600).view(300, 2).tolist()
    anchors = [[x, 0.0, x + 4, 9] for x in range(0, 3000, 10)]
    with torch.autocast('cpu', torch.bfloat16):
        found = select_detections([level(probs, [0.5] * 300, anchors)], torch.tensor([[[1, 1]]]),
                                  [(50, 3000)], PredictionSettings(max_per_img=-1))[0]
    assert found.scores.dtype == torch.float32 and len(found.scores.unique()) == 300


def test_a_gpu_compares_all_boxes_of_an_image_at_once_only_if_they_are_few(monkeypatch):
    monkeypatch.setattr(torch.Tensor, 'is_cuda', True, raising=False)
    sizes = []
    monkeypatch.setattr(inclusive_boxes, 'nms_at_once', lambda boxes, labels, threshold: (
        sizes.append(boxes.shape[1]), torch.ones_like(labels, dtype=torch.bool))[1])
    labels = torch.arange(7000) % 40
    boxes = torch.tensor([[0.0, 0, 9, 9]]).repeat(7000, 1)
    scores = torch.linspace(1, 0.1, 7000)
    kept = class_aware_nms(boxes, scores, labels, 0.5)
    assert kept.tolist() == list(range(40)) and sizes == []
    class_aware_nms(boxes[:100], scores[:100], labels[:100], 0.5)
    assert sizes == [100]


def test_threshold_looks_at_the_entity_score_alone():
    found = select([level([[0.06, 0.04], [0.9, 0.01], [0.01, 0.01]], [0.1, 0.5, 0.9], APART)])
    assert found.labels.tolist() == [0, 0]
    assert found.bboxes.tolist() == [APART[1], APART[0]]
    # the first lies below the threshold after centerness, and stays
    assert found.scores.tolist() == pytest.approx([(0.9 * 0.5)**0.5, (0.06 * 0.1)**0.5], rel=1e-4)


def test_ranking_is_by_the_product():
    found = select([level([[0.9, 0.01], [0.5, 0.01], [0.6, 0.01]], [0.1, 0.9, 0.8], APART)],
                   nms_pre=2)
    assert found.bboxes.tolist() == [APART[2], APART[1]]


def test_every_candidate_may_be_kept():
    levels = [level([[0.9, 0.8], [0.7, 0.01], [0.6, 0.01]], [0.5] * 3, APART)]
    assert len(select(levels, nms_pre=-1)) == 4


def test_budget_per_level_and_per_image():
    levels = [level([[0.9, 0.8], [0.7, 0.01], [0.6, 0.01]], [0.5] * 3, APART)] * 2
    shifted = levels[1]._replace(anchors=levels[1].anchors + torch.tensor([0.0, 20, 0, 20]))
    assert len(select([levels[0], shifted], nms_pre=3)) == 6
    assert len(select([levels[0], shifted], max_per_img=4)) == 4


def test_suppression_within_an_entity_only():
    same = [[0.0, 0, 9, 9], [0, 0, 9, 9], [20, 0, 29, 9]]
    found = select([level([[0.9, 0.1], [0.8, 0.7], [0.1, 0.1]], [0.5] * 3, same)])
    pairs = sorted(zip(found.labels.tolist(), found.bboxes[:, 0].tolist()))
    assert pairs == [(0, 0), (0, 20), (1, 0), (1, 20)]


def test_images_of_a_batch_are_independent():
    one = level([[0.9, 0.01], [0.1, 0.8], [0.01, 0.01]], [0.5] * 3, APART)
    two = level([[0.01, 0.3], [0.01, 0.01], [0.4, 0.01]], [0.9] * 3, APART)
    both = LevelOutput(*(torch.cat(p) for p in zip(one[:3], two[:3])), one.anchors)
    results = select_detections([both], ONE_TOKEN_EACH.expand(2, -1, -1), [(50, 60), (50, 25)])
    assert torch.equal(results[0].scores, select([one]).scores)
    assert results[1].bboxes[:, 2].max() == 24  # clipped to its own width


def test_iou_counts_pixels_and_equality_is_kept():
    # 10 x 10 and 10 x 6 pixels inside it: IoU 0.6 with the +1, 45 / 81 without
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 5]])
    scores, labels = torch.tensor([0.9, 0.8]), torch.zeros(2, dtype=torch.long)
    assert len(class_aware_nms(boxes, scores, labels, 0.601)) == 2
    assert class_aware_nms(boxes, scores, labels, 0.59).tolist() == [0]
    assert len(class_aware_nms(boxes, scores, torch.tensor([0, 1]), 0.1)) == 2
    assert len(class_aware_nms(boxes[:0], scores[:0], labels[:0], 0.5)) == 0


def test_boxes_round_trip():
    anchors = torch.tensor([[-28.0, -28, 35, 35], [100, 50, 227, 177]])
    boxes = torch.tensor([[0.0, 2, 40, 30], [90, 60, 250, 160]])
    torch.testing.assert_close(decode(anchors, encode(anchors, boxes)), boxes)
    assert torch.equal(to_half_open(to_inclusive(boxes)), boxes)
    assert clip(torch.tensor([[-5.0, 3, 99, 99]]), 40, 60).tolist() == [[0, 3, 59, 39]]


def test_aggregation_of_entities_without_tokens_is_zero_not_nan():
    probs = torch.rand(1, 4, 5)
    token_map = torch.zeros(1, 3, 5)
    token_map[0, 1, 2:4] = 1
    for mode in ('MEAN', 'MAX', 'POWER'):
        scores = aggregate_scores(probs, token_map, mode)
        assert (scores[..., [0, 2]] == 0).all() and (scores[..., 1] > 0).all()
    with pytest.raises(ValueError, match="score_agg is 'SUM': choose one of"):
        aggregate_scores(probs, token_map, 'SUM')


def test_candidates_without_suppression():
    levels = [level([[0.9, 0.8], [0.7, 0.01], [0.6, 0.01]], [0.5] * 3, [APART[0]] * 3)]
    assert len(select(levels)) == 2
    assert select(levels, iou_threshold=None, max_per_img=-1).labels.tolist() == [0, 1, 0, 0]


def test_chunks_are_merged_as_asked():
    found = InstanceData(bboxes=torch.tensor([APART[0], APART[1], APART[0]]),
                         scores=torch.tensor([.3, .5, .4]), labels=torch.tensor([0, 1, 2]))
    assert merge_chunks(found).labels.tolist() == [1, 2, 0]
    assert merge_chunks(found, iou_threshold=0.9).labels.tolist() == [1, 2]
    assert merge_chunks(found, max_per_img=1).labels.tolist() == [1]


@pytest.mark.parametrize('seed', range(4))
def test_all_labels_at_once_are_the_same_as_one_after_the_other(seed):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(400, 2, generator=generator) * 60
    boxes = torch.cat((corner, corner + torch.rand(400, 2, generator=generator) * 60), dim=1)
    scores = torch.randperm(400, generator=generator) / 400
    labels = torch.randint(0, 3, (400,), generator=generator)
    for threshold in (0.1, 0.5):
        wanted = class_aware_nms(boxes, scores, labels, threshold)
        assert 20 < len(wanted) < 300
        order = best_first(scores, labels)
        stays = nms_at_once(boxes[order], labels[order], threshold)
        assert torch.equal(order[stays], wanted)
    assert nms_at_once(boxes[:0], labels[:0], 0.5).tolist() == []


@pytest.mark.parametrize('most', [1, 5, 300])
@pytest.mark.parametrize('at_once', [4, 128])
def test_labels_together_are_as_one_by_one(monkeypatch, most, at_once):
    """With labels that have no box, one, as many as are treated at once, and more."""
    monkeypatch.setattr(inclusive_boxes, 'BOXES_AT_ONCE', at_once)
    monkeypatch.setattr(inclusive_boxes, 'LABELS_AT_ONCE', 3)
    torch.manual_seed(most)
    labels = torch.cat([torch.full((int(n),), i) for i, n in enumerate(
        torch.randint(most + 1, (12,)))] + [torch.full((7,), -1)])
    labels = labels[torch.randperm(len(labels))]
    corner = 40 * torch.rand(len(labels), 2)
    boxes = torch.cat((corner, corner + 20 * torch.rand(len(labels), 2)), dim=1)
    wanted = torch.zeros_like(labels, dtype=torch.bool)
    for label in range(12):
        members = (labels == label).nonzero().squeeze(1)
        falling = torch.arange(len(members), 0, -1.)
        wanted[members[inclusive_boxes.nms(boxes[members], falling, 0.5, offset=1)[1]]] = True
    assert torch.equal(nms_by_label(boxes, labels, 0.5), wanted)
    assert not nms_by_label(boxes, torch.full_like(labels, -1), 0.5).any()
