"""What must hold of the metrics whatever they are given."""

import numpy as np
import pytest
import torch

from glip_mm.evaluation import PhraseGroundingMetric, RefCOCOMetric
from glip_mm.evaluation.lvis import (
    LVISGroundTruth,
    detections_of_results,
    lvis_ap,
    most_per_category,
    most_per_image,
)

pytest.importorskip('hypothesis')
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

IMAGES, CATEGORIES = (3, 5, 11, 20), (2, 4, 9)
quick = settings(max_examples=60, deadline=None, derandomize=True,
                 suppress_health_check=[HealthCheck.too_slow])

side = st.integers(1, 12).map(lambda v: 10. * v)  # coarse: boxes coincide and IoUs tie
box = st.tuples(side, side, side, side).map(list)
place = st.tuples(st.sampled_from(IMAGES), st.sampled_from(CATEGORIES))
subset = st.lists(st.sampled_from(CATEGORIES), unique=True)


@st.composite
def lvis_files(draw):
    """Annotations with all that LVIS knows."""
    images = [dict(id=image, neg_category_ids=draw(subset),
                   not_exhaustive_category_ids=draw(subset)) for image in IMAGES]
    boxes = draw(st.lists(st.tuples(place, box, st.booleans()), min_size=1, max_size=12))
    return dict(
        images=images, categories=[dict(id=category, name=str(category), frequency=letter)
                                   for category, letter in zip(CATEGORIES, 'rcf')],
        annotations=[dict(id=index + 1, image_id=image, category_id=category, bbox=xywh,
                          area=xywh[2] * xywh[3], ignore=int(ignore and index > 0))
                     for index, ((image, category), xywh, ignore) in enumerate(boxes)])


@st.composite
def results(draw, content):
    """Detections near boxes and elsewhere; no two of an image and category score alike."""
    known = [row['bbox'] for row in content['annotations']]
    rows = draw(st.lists(st.tuples(place, st.one_of(box, st.sampled_from(known)),
                                   st.integers(1, 50)),
                         max_size=25, unique_by=lambda row: (row[0], row[2])))
    return [dict(image_id=image, category_id=category, bbox=xywh, score=score / 50)
            for (image, category), xywh, score in rows]


@st.composite
def worlds(draw):
    content = draw(lvis_files())
    return content, draw(results(content))


def score(content, found, cap=most_per_category, most=10_000):
    truth = LVISGroundTruth.from_dict(content)
    return lvis_ap(truth, cap(detections_of_results(truth, found), most))


@quick
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_images_and_detections_decides_no_ap(world, random):
    content, found = world
    shuffled = dict(content, images=random.sample(content['images'], len(content['images'])))
    other = random.sample(found, len(found))
    for cap, most in ((most_per_category, 10_000), (most_per_image, 300), (most_per_category, 3)):
        one, two = score(content, found, cap, most), score(shuffled, other, cap, most)
        np.testing.assert_array_equal(one.precision, two.precision)
        np.testing.assert_array_equal(one.recall, two.recall)


@quick
@given(worlds(), place, st.integers(0, 51))
def test_a_false_positive_never_raises_ap(world, where, value):
    content, found = world
    wrong = dict(image_id=where[0], category_id=where[1], bbox=[5000., 5000., 50., 50.],
                 score=value / 50)
    before, after = score(content, found), score(content, [*found, wrong])
    assert (after.precision <= before.precision).all()
    assert (after.recall == before.recall).all()
    assert all(after.metrics[name] <= value + 1e-12 for name, value in before.metrics.items())


@quick
@given(lvis_files(), st.randoms(use_true_random=False))
def test_perfect_detections_give_one(content, random):
    # boxes that coincide take each other's match where one of them is ignored
    seen, annotations = set(), []
    for row in content['annotations']:
        key = (row['image_id'], row['category_id'], *row['bbox'])
        if key not in seen:
            annotations.append(dict(row, ignore=0))
        seen.add(key)
    content = dict(content, annotations=annotations)
    found = [dict(image_id=row['image_id'], category_id=row['category_id'], bbox=row['bbox'],
                  score=random.random()) for row in annotations]
    metrics = score(content, found).metrics
    assert metrics['AP'] == pytest.approx(1, abs=1e-12)
    assert all(value == -1 or value == pytest.approx(1, abs=1e-12) for value in metrics.values())


@quick
@given(worlds())
def test_ap_lies_between_none_and_one(world):
    result = score(*world)
    assert ((result.precision == -1) | ((result.precision >= 0) & (result.precision <= 1))).all()
    assert ((result.recall == -1) | ((result.recall >= 0) & (result.recall <= 1))).all()


# ---------------------------------------------------------------- phrases


corners = st.tuples(side, side, side, side).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
label = st.integers(0, 2)


@st.composite
def sentences(draw):
    """A sample with three phrases; no two predictions score alike."""
    gt = draw(st.lists(st.tuples(corners, label), max_size=5))
    known = [row[0] for row in gt] or [[0., 0., 10., 10.]]
    found = draw(st.lists(
        st.tuples(st.one_of(corners, st.sampled_from(known)), label, st.integers(1, 40)),
        max_size=15, unique_by=lambda row: row[2]))
    return sentence(gt, found)


def sentence(gt, found):
    def tensor(rows, column, *shape):
        return torch.tensor([row[column] for row in rows], dtype=torch.float32).reshape(-1, *shape)

    return dict(phrase_types=['people', ['animals', 'other'], None],
                gt_instances=dict(bboxes=tensor(gt, 0, 4), labels=tensor(gt, 1).long()),
                pred_instances=dict(bboxes=tensor(found, 0, 4), labels=tensor(found, 1).long(),
                                    scores=tensor(found, 2)))


def recall(samples, kind=PhraseGroundingMetric, **kwargs):
    metric = kind(topk=(1, 2, 5), **kwargs)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def changed(sample, index=None, extra=None):
    """Predictions in another order, or with one more."""
    found = sample['pred_instances']
    if index is not None:
        found = {key: value[list(index)] for key, value in found.items()}
    if extra is not None:
        found = {key: torch.cat([value, torch.tensor([extra[key]], dtype=value.dtype)])
                 for key, value in found.items()}
    return dict(sample, pred_instances=found)


METRICS_OF_PHRASES = [(PhraseGroundingMetric, dict(protocol='both')), (RefCOCOMetric, {})]
each = pytest.mark.parametrize('kind, kwargs', METRICS_OF_PHRASES)


@each
@quick
@given(st.lists(sentences(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_samples_and_boxes_decides_no_recall(kind, kwargs, samples, random):
    other = [changed(s, random.sample(range(len(s['pred_instances']['scores'])),
                                      len(s['pred_instances']['scores'])))
             for s in random.sample(samples, len(samples))]
    np.testing.assert_equal(recall(samples, kind, **kwargs), recall(other, kind, **kwargs))


@each
@quick
@given(sentences(), label, st.integers(0, 41))
def test_a_wrong_box_never_raises_recall(kind, kwargs, sample, phrase, value):
    wrong = dict(bboxes=[900., 900., 950., 950.], labels=phrase, scores=value + .5)
    before = recall([sample], kind, **kwargs)
    after = recall([changed(sample, extra=wrong)], kind, **kwargs)
    assert all(after[name] <= value or np.isnan(value) for name, value in before.items())


@quick
@given(st.lists(st.tuples(corners, label), min_size=1, max_size=6))
def test_perfect_phrases_give_one(gt):
    found = [(xyxy, phrase, 30. - index) for index, (xyxy, phrase) in enumerate(gt)]
    result = recall([sentence(gt, found)])
    assert all(value == 1 for name, value in result.items() if 'num_' not in name)
