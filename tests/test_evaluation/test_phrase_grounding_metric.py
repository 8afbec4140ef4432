"""Phrase recall against numbers worked out by hand."""

import numpy as np
import pytest
import torch

from glip_mm.evaluation import PhraseGroundingMetric
from glip_mm.evaluation.metrics.phrase_grounding_metric import box_iou
from glip_mm.registry import METRICS


def sample(gt, predictions):
    """``gt``: (box, label) pairs; ``predictions``: (box, label, score) triples."""
    def boxes(rows):
        return torch.tensor([r[0] for r in rows], dtype=torch.float32).reshape(-1, 4)

    return dict(
        gt_instances=dict(bboxes=boxes(gt), labels=torch.tensor([r[1] for r in gt]).long()),
        pred_instances=dict(bboxes=boxes(predictions),
                            labels=torch.tensor([r[1] for r in predictions]).long(),
                            scores=torch.tensor([r[2] for r in predictions]).float()))


def evaluate(samples, **kwargs):
    metric = PhraseGroundingMetric(**kwargs)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


A, B, FAR = [0, 0, 10, 10], [20, 20, 30, 30], [60, 60, 70, 70]


def test_iou_counts_no_extra_pixel():
    assert box_iou(np.array([[0, 0, 10, 10.]]), np.array([[0, 0, 10, 5.], [10, 0, 20, 10]])
                   ).tolist() == [[.5, 0.]]


def test_recall_at_each_k():
    # phrase 0 is found by its second box, phrase 1 by its first, phrase 2 never
    found = sample([(A, 0), (B, 1), (FAR, 2)],
                   [(FAR, 0, .9), (A, 0, .8), (B, 1, .3), (A, 2, .9)])
    result = evaluate([found])
    assert result['phrases/Recall@1'] == pytest.approx(1 / 3)
    assert result['phrases/Recall@5'] == pytest.approx(2 / 3)
    assert result['phrases/Recall@10'] == pytest.approx(2 / 3)
    assert result['phrases/upper_bound'] == pytest.approx(2 / 3)
    assert result['phrases/num_phrases'] == 3


def test_scores_rank_not_the_order_given():
    found = sample([(A, 0)], [(FAR, 0, .1), (A, 0, .9)])
    assert evaluate([found])['phrases/Recall@1'] == 1


def test_rank_six_counts_at_ten_and_not_at_five():
    rows = [(FAR, 0, .9 - i / 100) for i in range(5)] + [(A, 0, .1)]
    result = evaluate([sample([(A, 0)], rows)])
    assert (result['phrases/Recall@5'], result['phrases/Recall@10']) == (0, 1)


def test_any_box_and_merged_protocols():
    around = [0, 0, 30, 30]
    one = sample([(A, 0), (B, 0)], [(B, 0, .9)])
    both = sample([(A, 0), (B, 0)], [(around, 0, .9)])
    assert evaluate([one])['phrases/Recall@1'] == 1
    assert evaluate([both])['phrases/Recall@1'] == 0
    assert evaluate([one], protocol='merged')['phrases/Recall@1'] == 0
    assert evaluate([both], protocol='merged')['phrases/Recall@1'] == 1


def test_exactly_half_is_a_hit_and_a_dummy_box_is_none():
    half = sample([([0, 0, 10, 10], 0)], [([0, 0, 10, 5], 0, .5)])
    none = sample([(A, 0)], [])
    assert evaluate([half])['phrases/Recall@1'] == 1
    assert evaluate([none])['phrases/upper_bound'] == 0


def test_a_box_of_another_phrase_does_not_count():
    assert evaluate([sample([(A, 0)], [(A, 1, .9)])])['phrases/upper_bound'] == 0


def test_images_without_phrases_count_nothing():
    other = sample([(A, 0)], [(A, 0, .9)])
    without = dict(pred_instances=other['pred_instances'])
    result = evaluate([without, other, sample([], [])])
    assert result['phrases/num_phrases'] == 1 and result['phrases/Recall@1'] == 1


def test_another_protocol_is_refused():
    with pytest.raises(ValueError, match="got 'union'"):
        PhraseGroundingMetric(protocol='union')


def test_it_is_registered():
    assert METRICS.get('PhraseGroundingMetric') is PhraseGroundingMetric
