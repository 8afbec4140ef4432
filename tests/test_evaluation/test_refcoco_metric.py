"""Precision of referring expressions, by hand and beside MMDetection's."""

import json

import pytest
import torch
from mmdet.evaluation import RefExpMetric

from glip_mm.evaluation import RefCOCOMetric

A, FAR = [0., 0., 10., 10.], [60., 60., 70., 70.]


def sample(img_id, target, boxes, **fields):
    """Boxes best first, each of another phrase of the expression."""
    count = len(boxes)
    return dict(
        fields, img_id=img_id,
        gt_instances=dict(bboxes=torch.tensor([target]), labels=torch.tensor([0])),
        pred_instances=dict(bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.arange(count),
                            scores=torch.linspace(.9, .1, max(count, 1))[:count]))


def evaluate(samples, **kwargs):
    metric = RefCOCOMetric(**kwargs)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


SAMPLES = [sample(1, A, [A, FAR], dataset_name='refcoco'),
           sample(2, A, [FAR, A], dataset_name='refcoco'),
           sample(3, A, [FAR] * 5 + [A], dataset_name='refcoco+'),
           sample(4, A, [FAR], dataset_name='refcocog')]


def test_by_hand():
    found = evaluate(SAMPLES + [sample(5, A, [])])
    assert [found[f'refcoco/Precision@{k}'] for k in (1, 5, 10)] == pytest.approx([.2, .4, .6])
    assert found['refcoco/num_phrases'] == 5
    assert found['refcoco/Precision@1/refcoco'] == .5
    assert [found[f'refcoco/Precision@{k}/refcoco+'] for k in (5, 10)] == [0, 1]


def test_half_of_the_union_is_right_and_the_order_given_is_not_the_rank():
    half = sample(1, A, [[0., 0., 10., 5.]])
    assert evaluate([half])['refcoco/Precision@1'] == 1
    second = sample(1, A, [A, FAR])
    second['pred_instances']['scores'] = torch.tensor([.1, .9])
    assert evaluate([second])['refcoco/Precision@1'] == 0


def test_mmdetections_metric_agrees(tmp_path):
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=s['img_id'], dataset_name=s['dataset_name']) for s in SAMPLES],
        annotations=[dict(id=s['img_id'], image_id=s['img_id'], category_id=1, bbox=A)
                     for s in SAMPLES],
        categories=[dict(id=1, name='object')])))
    metric = RefExpMetric(ann_file=str(path))
    metric.process({}, SAMPLES)
    theirs, ours = metric.evaluate(len(SAMPLES)), evaluate(SAMPLES)
    for name in ('refcoco', 'refcoco+', 'refcocog'):
        for k in (1, 5, 10):
            assert (ours[f'refcoco/Precision@{k}/{name}']
                    == theirs[f'refexp/{name}_precision@{k}'])
