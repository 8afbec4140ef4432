"""The LVIS metric: what it keeps, what it names, what it refuses."""

import json
import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from glip_mm.evaluation import LVISFixedAPMetric
from glip_mm.evaluation.lvis import Detections, DetectionStore, most_per_category
from glip_mm.registry import METRICS
from tests.lvis_reference import fixed_cap, random_results, random_truth, reference_ap
from tests.two_processes import in_two_processes


@pytest.fixture
def content():
    return random_truth(3, images=30)


@pytest.fixture
def ann_file(tmp_path, content):
    path = tmp_path / 'lvis.json'
    path.write_text(json.dumps(content))
    return str(path)


def samples_of(content, results):
    """As a test gives them: float32 corners, every image once."""
    ids = sorted(category['id'] for category in content['categories'])
    samples = []
    for image in content['images']:
        mine = [entry for entry in results if entry['image_id'] == image['id']]
        boxes = torch.tensor([entry['bbox'] for entry in mine]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        samples.append(dict(img_id=image['id'], pred_instances=dict(
            bboxes=boxes, scores=torch.tensor([entry['score'] for entry in mine]),
            labels=torch.tensor([ids.index(entry['category_id']) for entry in mine]).long())))
    return samples


def results_of(content, samples):
    """The same as a results file."""
    ids = sorted(category['id'] for category in content['categories'])
    results = []
    for sample in samples:
        found = sample['pred_instances']
        boxes = found['bboxes'].double()
        boxes[:, 2:] -= boxes[:, :2]
        results += [dict(image_id=sample['img_id'], category_id=ids[label], bbox=box, score=score)
                    for label, box, score in zip(found['labels'].tolist(), boxes.tolist(),
                                                 found['scores'].tolist())]
    return results


@pytest.fixture
def samples(content):
    return samples_of(content, random_results(content, 3, ties=True, others=20))


def evaluate(samples, ann_file, **kwargs):
    metric = LVISFixedAPMetric(ann_file, **kwargs)
    for sample in samples:
        metric.process({}, [sample])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('fixed', [True, False])
def test_both_protocols_are_the_packages_and_named_apart(content, ann_file, samples, fixed):
    pytest.importorskip('lvis')
    results = results_of(content, samples)
    expected = reference_ap(content, *((fixed_cap(results, 15), -1) if fixed else (results, 10)))
    found = evaluate(samples, ann_file, fixed_ap=fixed, topk=15, max_per_image=10)
    prefix = 'lvis' if fixed else 'lvis_standard'
    assert found == pytest.approx({f'{prefix}/{k}': v for k, v in expected[0].items()}, abs=1e-12)


def test_the_protocols_differ(ann_file, samples):
    fixed = evaluate(samples, ann_file)
    standard = evaluate(samples, ann_file, fixed_ap=False, max_per_image=5)
    assert fixed['lvis/AP'] != standard['lvis_standard/AP']


def test_an_image_that_comes_twice_counts_once(ann_file, samples):
    once = evaluate(samples, ann_file)
    assert evaluate(samples + samples[:5], ann_file) == once


def score_a_share(rank, ann_file, samples, expected):
    metric = LVISFixedAPMetric(ann_file, topk=12)
    # the sampler gives images to both to make the shares equal
    for sample in (samples[::2], samples[1::2] + samples[:8:2])[rank]:
        metric.process({}, [sample])
    assert metric.evaluate(len(samples)) == expected


def test_two_processes_score_what_one_does(ann_file, samples):
    in_two_processes(score_a_share, ann_file, samples, evaluate(samples, ann_file, topk=12))


def test_it_keeps_no_more_than_the_cap():
    rng = np.random.default_rng(0)
    store, parts = DetectionStore(7, slack=50), []
    for image in range(40):
        part = Detections(np.full(10, image, np.int32), rng.integers(0, 3, 10).astype(np.int32),
                          rng.random((10, 4)), rng.random(10).round(1))
        parts.append(part)
        store.add(part)
        assert len(store._kept.scores) <= 3 * 7
        assert sum(len(part.scores) for part in store._waiting) <= 50
    whole = most_per_category(Detections.concatenate(parts), 7)
    for kept, expected in zip(store.detections(), whole):
        np.testing.assert_array_equal(kept, expected)


def test_the_order_of_images_decides_nothing(ann_file, samples):
    orders = [samples, samples[::-1], samples[7:] + samples[:7]]
    found = [evaluate(order, ann_file, topk=6) for order in orders]
    assert found[0] == found[1] == found[2]


def test_a_metric_can_be_used_again(ann_file, samples):
    metric = LVISFixedAPMetric(ann_file)
    metric.process({}, samples)
    first = metric.evaluate(len(samples))
    metric.process({}, samples)
    assert metric.evaluate(len(samples)) == first


def test_images_that_were_not_tested_are_named(ann_file, samples):
    metric = LVISFixedAPMetric(ann_file)
    metric.process({}, samples[4:])
    logger = MMLogger.get_current_instance()
    warned = []
    handler = logging.Handler()
    handler.emit = lambda record: warned.append(record.getMessage())
    logger.addHandler(handler)
    try:
        metric.evaluate(len(samples))
    finally:
        logger.removeHandler(handler)
    assert any('4 of 30 images' in line for line in warned)


def test_an_unknown_image_is_refused(ann_file, samples):
    with pytest.raises(ValueError, match='image 5 is not in .*lvis.json'):
        evaluate([dict(samples[0], img_id=5)], ann_file)


def test_an_unknown_label_is_refused(ann_file, samples):
    found = dict(bboxes=torch.zeros(1, 4), scores=torch.ones(1), labels=torch.tensor([12]))
    with pytest.raises(ValueError, match='label 12, but .* has 12 categories'):
        evaluate([dict(samples[0], pred_instances=found)], ann_file)


def test_another_number_of_classes_is_refused(ann_file, samples):
    metric = LVISFixedAPMetric(ann_file)
    metric.dataset_meta = dict(classes=('cat', 'dog'))
    metric.process({}, samples)
    with pytest.raises(ValueError, match='the dataset has 2 classes .cat, .* has 12 categories'):
        metric.evaluate(len(samples))


def test_scores_that_are_no_number_are_refused(ann_file, samples):
    found = dict(bboxes=torch.ones(1, 4), scores=torch.tensor([float('nan')]),
                 labels=torch.tensor([1]))
    with pytest.raises(ValueError, match='NaN'):
        evaluate([dict(samples[0], pred_instances=found)], ann_file)


def test_coco_annotations_are_refused(tmp_path, content):
    for image in content['images']:
        del image['neg_category_ids']
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no 'neg_category_ids', .*CocoMetric"):
        LVISFixedAPMetric(str(tmp_path / 'coco.json'))


def test_classes_by_name(ann_file, samples, content):
    found = evaluate(samples, ann_file, classwise=True)
    names = [key for key in found if key.startswith('lvis/AP/')]
    assert {key[len('lvis/AP/'):] for key in names} <= {
        category['name'] for category in content['categories']}
    assert np.mean([found[key] for key in names]) == pytest.approx(found['lvis/AP'])


def test_an_evaluator_runs_both_at_once(ann_file, samples):
    evaluator = Evaluator([METRICS.build(dict(type='LVISFixedAPMetric', ann_file=ann_file,
                                              fixed_ap=fixed)) for fixed in (True, False)])
    evaluator.process([dict(sample, pred_instances=InstanceData(**sample['pred_instances']))
                       for sample in samples])
    found = evaluator.evaluate(len(samples))
    assert {'lvis/APr', 'lvis_standard/APr'} <= set(found)
