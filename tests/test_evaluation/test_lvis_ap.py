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
