"""A first evaluation of exactly 0 is explained from the predictions, any other is not."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from glip_mm.engine.hooks import FirstEvaluationHook
from glip_mm.engine.hooks.first_evaluation_hook import found_nothing

TRUTH = [[0., 0., 10., 10.], [20., 20., 40., 40.]]
FAR = [[50., 50., 60., 60.]]


def sample(boxes, labels):
    found = DetDataSample()
    found.gt_instances = InstanceData(bboxes=torch.tensor(TRUTH), labels=torch.tensor([0, 1]))
    found.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4), scores=torch.full((len(boxes),), 0.25),
        labels=torch.tensor(labels, dtype=torch.long))
    return found


def evaluate(hook, samples, metrics, caplog):
    logger = logging.getLogger('first_evaluation')
    runner = SimpleNamespace(logger=logger, iter=40)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger='first_evaluation'):
        hook.before_val_epoch(runner)
        hook.after_val_iter(runner, 0, None, samples)
        hook.after_val_epoch(runner, metrics)
    return [record.getMessage() for record in caplog.records]


ZERO = {'coco/bbox_mAP': 0., 'coco/bbox_mAP_s': -1., 'coco/bbox_mAP_copypaste': '0.0 0.0'}


@pytest.mark.parametrize('boxes, labels, metrics, cause, counted', [
    ([], [], {}, 'No box scores above model.test_cfg.score_thr', '0 boxes in 1 images'),
    (TRUTH, [1, 0], ZERO, 'named wrongly', '2 are hit (IoU 0.5) by a box of any class, 0 by'),
    (TRUTH, [0, 1], ZERO, 'reads other annotations', '2 by one of their own'),
    (FAR, [0], ZERO, 'Boxes lie where no object is', '1 boxes in 1 images')])
def test_cause_and_remedy_follow_from_what_was_predicted(boxes, labels, metrics, cause, counted,
                                                         caplog):
    messages = evaluate(FirstEvaluationHook(), [sample(boxes, labels)], metrics, caplog)
    assert len(messages) == 1
    assert cause in messages[0] and counted in messages[0] and 'Remedy: ' in messages[0]
    assert 'iteration 40' in messages[0] and 'docs/troubleshooting.md' in messages[0]


def test_an_evaluation_without_metrics_or_boxes_is_let_through(caplog):
    assert evaluate(FirstEvaluationHook(), [sample(FAR, [0])], {}, caplog) == []
    assert evaluate(FirstEvaluationHook(), [DetDataSample()], ZERO, caplog) == []


def test_only_the_first_evaluation_counts(caplog):
    hook = FirstEvaluationHook()
    assert evaluate(hook, [sample(FAR, [0])], {'coco/bbox_mAP': 0.01}, caplog) == []
    assert evaluate(hook, [sample(FAR, [0])], ZERO, caplog) == []


@pytest.mark.parametrize('metrics, nothing', [
    ({}, False), ({'a': 0.}, True), ({'a': 0., 'b': torch.tensor(0.)}, True),
    ({'a': 0., 'b': float('nan')}, True), ({'a': 0., 'b': 0.001}, False),
    ({'a': -1., 'b': float('nan')}, False), ({'a': '0.0'}, True)])
def test_what_counts_as_nothing(metrics, nothing):
    assert found_nothing(metrics) is nothing
