"""AP of single classes against pycocotools, and intervals of differences."""

import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from glip_mm.evaluation.class_ap import (
    ClassMatches,
    difference_interval,
    match_classes,
    resampled_images,
)
from glip_mm.evaluation.coco_matching import quiet_coco

CATEGORIES = (2, 5, 9)


def scene(seed, images=6):
    """Boxes, and detections that are near some of them."""
    rng = np.random.default_rng(seed)
    boxes, found = [], []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 4)):
            x, y, w, h = (float(v) for v in rng.integers(5, 60, 4))
            category = int(rng.choice(CATEGORIES[:2]))
            boxes.append(dict(image_id=image, category_id=category, bbox=[x, y, w, h],
                              area=w * h, iscrowd=int(rng.random() < .1)))
            for _ in range(rng.integers(0, 3)):
                dx, dy = rng.normal(0, 4, 2)
                found.append(dict(image_id=image, category_id=category, bbox=[x + dx, y + dy, w, h],
                                  score=float(rng.random())))
        found.append(dict(image_id=image, category_id=9, bbox=[1., 1., 9., 9.], score=.5))
    return boxes, found


def write(path, boxes, images):
    path.write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=200, height=200) for i in images],
        categories=[dict(id=c, name=str(c)) for c in CATEGORIES],
        annotations=[dict(b, id=k) for k, b in enumerate(boxes, 1)])))
    return quiet_coco(path)


def reference(truth: COCO, found, category):
    with contextlib.redirect_stdout(io.StringIO()):
        truth.dataset.setdefault('info', {})
        evaluation = COCOeval(truth, truth.loadRes(found), 'bbox')
        evaluation.params.catIds = [category]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


@pytest.mark.parametrize('seed', range(5))
def test_as_pycocotools(tmp_path, seed):
    boxes, found = scene(seed)
    truth = write(tmp_path / 'a.json', boxes, range(1, 7))
    matches = match_classes(truth, found, CATEGORIES, range(1, 7))
    for category, match in zip(CATEGORIES[:2], matches):
        ap, = match.average_precision()
        assert 0 < ap < 1 and ap == pytest.approx(reference(truth, found, category), abs=1e-12)
    # nothing of the third is there to be found
    assert np.isnan(matches[2].average_precision()) and len(matches[2].scores) == 6


def test_an_image_that_counts_twice_is_two_images(tmp_path):
    boxes, found = scene(7)
    truth = write(tmp_path / 'a.json', boxes, range(1, 7))
    matches = match_classes(truth, found, CATEGORIES, range(1, 7))
    # image 1 never, 2 three times, the others once: 102 and 202 are copies of 2
    kept = range(2, 7)

    def copied(rows):
        return [r for r in rows if r['image_id'] in kept] + [
            dict(r, image_id=r['image_id'] + k) for k in (100, 200) for r in rows
            if r['image_id'] == 2]
    again = write(tmp_path / 'b.json', copied(boxes), [*kept, 102, 202])
    for category, match in zip(CATEGORIES[:2], matches):
        value, = match.average_precision(np.array([[0., 3, 1, 1, 1, 1]]))
        assert value == pytest.approx(reference(again, copied(found), category), abs=1e-12)


def test_only_some_images_and_nothing_found(tmp_path):
    boxes, found = scene(3)
    truth = write(tmp_path / 'a.json', boxes, range(1, 7))
    part = match_classes(truth, found, CATEGORIES, [4, 2])
    held = [sum(b['image_id'] == i and b['category_id'] == 2 and not b['iscrowd'] for b in boxes)
            for i in (2, 4)]
    assert part[0].boxes.tolist() == held and set(part[2].images) == {0, 1}
    nothing = match_classes(truth, [], CATEGORIES, range(1, 7))
    assert nothing[0].average_precision() == 0 and not len(nothing[0].scores)


def hits(right):
    """One box an image and one detection, right or not at all thresholds."""
    right = np.tile(np.asarray(right, bool), (10, 1))
    count = right.shape[1]
    return ClassMatches(np.linspace(1, .5, count), np.arange(count), right, ~right,
                        np.ones(count))


def test_intervals_are_paired():
    draws = resampled_images(20, 300)
    assert draws.shape == (300, 20) and (draws.sum(axis=1) == 20).all()
    some, more = hits([1, 0] * 10), hits([1, 1, 1, 0] * 5)
    before, after = (m.average_precision(draws) for m in (some, more))
    assert difference_interval(before, before) == (0, 0)
    low, high = difference_interval(before, after)
    assert 0 < low < (after - before).mean() < high < 1
    # each alone varies more than their difference
    assert high - low < np.ptp(np.percentile(after, (2.5, 97.5))) * 2
    assert difference_interval(before * np.nan, after) is None
