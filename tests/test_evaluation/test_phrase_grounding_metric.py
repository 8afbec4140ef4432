"""Phrase recall against numbers worked out by hand."""

import logging

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from glip_mm.evaluation import PhraseGroundingMetric
from glip_mm.evaluation.metrics.phrase_grounding_metric import box_iou
from glip_mm.registry import METRICS


def sample(gt, predictions, **fields):
    """``gt``: (box, label) pairs; ``predictions``: (box, label, score) triples."""
    def boxes(rows):
        return torch.tensor([r[0] for r in rows], dtype=torch.float32).reshape(-1, 4)

    return dict(
        fields, gt_instances=dict(bboxes=boxes(gt), labels=torch.tensor([r[1] for r in gt]).long()),
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


# a sentence with four phrases, worked out by hand:
#   0 people, two boxes: one found first, the box around both found second
#   1 other, found by its third box; its second ties with it and comes before it
#   2 scene, no box: not counted, whatever is found
#   3 people and clothing, nothing found but the dummy box
AROUND = [0, 0, 30, 30]
SENTENCE = dict(
    gt=[(A, 0), (B, 0), (FAR, 1), (B, 3)],
    predictions=[(A, 0, .9), (AROUND, 0, .8), (A, 1, .7), (B, 1, .6), (FAR, 1, .6), (FAR, 2, .99)],
    phrase_types=[['people'], 'other', None, ['people', 'clothing']])


def test_a_sentence_by_hand_with_types_and_both_protocols():
    result = evaluate([sample(**SENTENCE)], topk=(1, 2, 3), protocol='both')
    expected = {
        'any/Recall@1': 1 / 3, 'any/Recall@2': 1 / 3, 'any/Recall@3': 2 / 3,
        'any/upper_bound': 2 / 3, 'any/num_phrases': 3,
        'any/Recall@1/people': 1 / 2, 'any/Recall@2/people': 1 / 2, 'any/Recall@3/people': 1 / 2,
        'any/upper_bound/people': 1 / 2, 'any/num_phrases/people': 2,
        'any/Recall@1/other': 0, 'any/Recall@2/other': 0, 'any/Recall@3/other': 1,
        'any/upper_bound/other': 1, 'any/num_phrases/other': 1,
        'any/Recall@1/clothing': 0, 'any/Recall@2/clothing': 0, 'any/Recall@3/clothing': 0,
        'any/upper_bound/clothing': 0, 'any/num_phrases/clothing': 1,
        'merged/Recall@1': 0, 'merged/Recall@2': 1 / 3, 'merged/Recall@3': 2 / 3,
        'merged/upper_bound': 2 / 3, 'merged/num_phrases': 3,
        'merged/Recall@1/people': 0, 'merged/Recall@2/people': 1 / 2,
        'merged/Recall@3/people': 1 / 2, 'merged/upper_bound/people': 1 / 2,
        'merged/num_phrases/people': 2,
        'merged/Recall@1/other': 0, 'merged/Recall@2/other': 0, 'merged/Recall@3/other': 1,
        'merged/upper_bound/other': 1, 'merged/num_phrases/other': 1,
        'merged/Recall@1/clothing': 0, 'merged/Recall@2/clothing': 0,
        'merged/Recall@3/clothing': 0, 'merged/upper_bound/clothing': 0,
        'merged/num_phrases/clothing': 1}
    assert result == pytest.approx({f'phrases/{name}': v for name, v in expected.items()})


def test_equal_scores_rank_in_the_order_given():
    assert evaluate([sample([(A, 0)], [(A, 0, .5), (FAR, 0, .5)])])['phrases/Recall@1'] == 1
    assert evaluate([sample([(A, 0)], [(FAR, 0, .5), (A, 0, .5)])])['phrases/Recall@1'] == 0


def test_all_boxes_of_a_phrase_count_for_the_upper_bound():
    rows = [(FAR, 0, .9 - i / 100) for i in range(50)] + [(A, 0, .1)]
    result = evaluate([sample([(A, 0)], rows)])
    assert (result['phrases/Recall@10'], result['phrases/upper_bound']) == (0, 1)


def test_a_repeated_sentence_counts_once_and_other_sentences_of_the_image_do():
    hit, miss = [(A, 0, .9)], [(FAR, 0, .9)]
    samples = [sample([(A, 0)], hit, img_id=7, sentence_id=0),
               sample([(A, 0)], miss, img_id=7, sentence_id=1),
               sample([(A, 0)], miss, img_id=7, sentence_id=0),
               sample([(A, 0)], miss, img_id=8, sentence_id=0)]
    result = evaluate(samples)
    assert result['phrases/num_phrases'] == 3
    assert result['phrases/Recall@1'] == pytest.approx(1 / 3)


def test_without_sentence_ids_every_sample_counts():
    same = sample([(A, 0)], [(A, 0, .9)], img_id=7)
    assert evaluate([same, same])['phrases/num_phrases'] == 2


def test_a_repetition_is_named():
    logger, lines = MMLogger.get_current_instance(), []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    try:
        evaluate([sample([(A, 0)], [], img_id=7, sentence_id=0)] * 3)
    finally:
        logger.removeHandler(handler)
    assert any('2 sentences came more than once' in line for line in lines)


def test_types_without_an_entry_for_a_phrase_are_refused():
    with pytest.raises(ValueError, match='image 7 has boxes of phrase 1 .* has 1 entries'):
        evaluate([sample([(A, 1)], [], img_id=7, phrase_types=['people'])])


def test_half_precision_and_data_samples():
    given = sample([(A, 0)], [(A, 0, .9)])
    found = InstanceData(**{key: value if key == 'labels' else value.bfloat16()
                            for key, value in given['pred_instances'].items()})
    given['gt_instances']['bboxes'] = HorizontalBoxes(given['gt_instances']['bboxes'])
    assert evaluate([dict(given, pred_instances=found)])['phrases/Recall@1'] == 1


def test_a_k_below_one_is_refused():
    with pytest.raises(ValueError, match='numbers from 1, got .1, -1.; all boxes are always'):
        PhraseGroundingMetric(topk=(1, -1))


def test_another_protocol_is_refused():
    with pytest.raises(ValueError, match="got 'union'"):
        PhraseGroundingMetric(protocol='union')


def test_it_is_registered():
    assert METRICS.get('PhraseGroundingMetric') is PhraseGroundingMetric
