"""LVIS AP against the ``lvis`` package, number by number."""

import json
from pathlib import Path

import numpy as np
import pytest

from glip_mm.evaluation.lvis import (
    LVISGroundTruth,
    detections_of_results,
    lvis_ap,
    most_per_category,
    most_per_image,
)
from tests.lvis_reference import fixed_cap, random_results, random_truth, reference_ap

pytest.importorskip('lvis')
SAMPLE = Path(__file__).parents[1] / 'data' / 'lvis' / 'val_100_boxes.json'


@pytest.fixture(scope='module')
def sample():
    content = json.loads(SAMPLE.read_text())
    # the reference looks at every image, category and area in Python: a part will do
    content['images'] = content['images'][::2]
    kept = {image['id'] for image in content['images']}
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] in kept]
    used = {annotation['category_id'] for annotation in content['annotations']}
    content['categories'] = [category for category in content['categories']
                             if category['id'] in used or category['id'] % 20 == 0]
    assert any(image['not_exhaustive_category_ids'] for image in content['images'])
    assert len({a['image_id'] for a in content['annotations']}) < len(kept)  # images without boxes
    return content


def assert_equal(found, expected):
    metrics, precision, recall = expected
    assert set(found.metrics) == set(metrics)
    for name, value in metrics.items():
        assert found.metrics[name] == pytest.approx(value, abs=1e-12), name
    np.testing.assert_allclose(found.precision, precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.recall, recall, rtol=0, atol=1e-12)


def compare(content, results, cap):
    truth = LVISGroundTruth.from_dict(content)
    assert_equal(lvis_ap(truth, most_per_category(detections_of_results(truth, results), cap)),
                 reference_ap(content, fixed_cap(results, cap), -1))
    assert_equal(lvis_ap(truth, most_per_image(detections_of_results(truth, results), cap)),
                 reference_ap(content, results, cap))


@pytest.mark.parametrize('seed, ties, cap', [(0, False, 10_000), (1, True, 10_000), (2, True, 9)])
def test_it_is_the_packages_on_the_sample(sample, seed, ties, cap):
    compare(sample, random_results(sample, seed, ties), cap)


@pytest.mark.parametrize('seed', range(12))
def test_it_is_the_packages_on_generated_files(seed):
    content = random_truth(seed)
    results = random_results(content, seed, ties=seed % 2 == 0, density=1 + seed % 3)
    compare(content, results, cap=[10_000, 5, 20][seed % 3])


def one_image(boxes, **fields):
    """An annotation file of one category."""
    return dict(
        images=[dict(id=1, file_name='1.jpg', width=500, height=500, neg_category_ids=[],
                     not_exhaustive_category_ids=[], **fields)],
        categories=[dict(id=3, name='cat', frequency='f')],
        annotations=[dict(id=index + 1, image_id=1, category_id=3, bbox=box,
                          area=box[2] * box[3]) for index, box in enumerate(boxes)])


def found(*boxes):
    """Detections of that category, best first."""
    return [dict(image_id=1, category_id=3, bbox=box, score=.9 - index / 10)
            for index, box in enumerate(boxes)]


LEFT, BETWEEN, RIGHT = [0., 0., 10., 10.], [2., 0., 10., 10.], [4., 0., 10., 10.]


@pytest.mark.parametrize('second', [LEFT, RIGHT])
def test_of_two_boxes_as_near_the_later_is_taken(second):
    content, results = one_image([LEFT, RIGHT]), found(BETWEEN, second)
    truth = LVISGroundTruth.from_dict(content)
    ap50 = lvis_ap(truth, detections_of_results(truth, results)).metrics['AP50']
    assert ap50 == pytest.approx(1 if second is LEFT else 51 / 101)
    compare(content, results, 10_000)


def test_no_detections_at_all():
    truth = LVISGroundTruth.from_dict(one_image([LEFT]))
    metrics = lvis_ap(truth, detections_of_results(truth, [])).metrics
    assert (metrics['AP'], metrics['APf'], metrics['APr']) == (0, 0, -1)


def test_no_boxes_at_all():
    truth = LVISGroundTruth.from_dict(one_image([]))
    metrics = lvis_ap(truth, detections_of_results(truth, found(LEFT))).metrics
    assert set(metrics.values()) == {-1}


def test_outlines_are_not_kept(tmp_path):
    content = one_image([LEFT])
    content['annotations'][0]['segmentation'] = [[0., 0., 10., 0., 10., 10.]]
    (tmp_path / 'lvis.json').write_text(json.dumps(content))
    loaded, given = LVISGroundTruth.load(tmp_path / 'lvis.json'), LVISGroundTruth.from_dict(content)
    for name in ('boxes', 'area', 'pair', 'scored'):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(given, name))


def test_what_is_not_listed_is_named():
    content = one_image([LEFT])
    content['annotations'][0]['category_id'] = 77
    with pytest.raises(ValueError, match='image or category 77, which is not listed'):
        LVISGroundTruth.from_dict(content)
    truth = LVISGroundTruth.from_dict(one_image([LEFT]))
    with pytest.raises(ValueError, match='a result is of image 9, which the annotations'):
        detections_of_results(truth, [dict(found(LEFT)[0], image_id=9)])
