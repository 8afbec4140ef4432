"""Kinds of errors, confusions, thresholds and calibration, on cases worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glip_mm.evaluation.analysis.calibration import calibrate
from glip_mm.evaluation.analysis.errors import (
    best_threshold,
    find_errors,
    pick_worst,
    top_confusions,
)
from glip_mm.evaluation.analysis.ground_truth import GroundTruth, read_ground_truth
from glip_mm.evaluation.analysis.matching import match_dataset
from glip_mm.evaluation.analysis.results import DatasetResult, TestImage, read_result

from . import generated

BOX = np.array([0., 0, 40, 40])


def _case(truth, found, images=1):
    """Boxes as (x, label) and detections as (x, label, score), all squares of 40, in image 0."""
    rows = np.array([[x, 0, x + 40, 40] for x, _ in truth], float).reshape(-1, 4)
    ground = GroundTruth(('cat', 'dog', 'cow'), np.zeros(len(truth), int), rows,
                         np.array([label for _, label in truth], int), np.full(len(truth), 1600.),
                         np.zeros(len(truth), bool))
    boxes = np.array([[x, 0, x + 40, 40] for x, _, _ in found], float).reshape(-1, 4)
    result = DatasetResult(
        'case', Path('none.json'), '', ground.classes, images,
        [TestImage(1, 'none.jpg', (40, 500), None)], np.zeros(len(found), int), boxes,
        np.array([score for _, _, score in found]), np.array([c for _, c, _ in found], int))
    return result, ground, match_dataset(result, ground, progress=False)


def test_every_kind():
    case = _case([(0, 0), (100, 1), (200, 0), (300, 1)], [
        (2, 0, .9),  # right
        (4, 0, .8),  # the same cat again
        (100, 0, .7),  # a dog taken for a cat
        (228, 0, .6),  # IoU 12/68 with a cat
        (400, 1, .5),  # nothing there
        (302, 1, .2),  # right, below the threshold
        (400, 2, .9)])  # no cow anywhere: the class has no part
    errors = find_errors(*case, threshold=0.3)
    assert [(e.detection, e.kind, e.box) for e in errors.false] == [
        (1, 'twice', 0), (2, 'other', 1), (3, 'placed', 2), (4, 'nothing', -1)]
    assert errors.false[2].iou == pytest.approx(12 / 68)
    assert errors.counts == dict(other=1, placed=1, twice=1, nothing=1, missed=3)
    # no box at all before one below the threshold
    assert errors.missed.tolist() == [1, 2, 3]
    assert errors.correct == 1 and errors.precision == 1 / 5 and errors.recall == 1 / 4
    # rows: truth; the last row: nothing, the last column: not found
    assert errors.confusion.tolist() == [[1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0], [2, 1, 0, 0]]
    assert list(top_confusions(errors, case[1].classes)) == [('dog', 'cat', 1)]


def test_worst_misses_come_first():
    result, truth, matches = _case([(0, 0), (100, 0), (200, 0)], [(0, 0, .2)])
    truth = replace(truth, areas=np.array([100., 10., 20.]))
    assert find_errors(result, truth, matches, 0.3).missed.tolist() == [2, 1, 0]
    assert find_errors(result, truth, matches, 0.2).missed.tolist() == [2, 1]


def test_best_threshold():
    # F1 by threshold: .9: 2/3, .8: 1/2, .7: 4/5 (2 of 3 right, 2 boxes), .1: 4/6
    case = _case([(0, 0), (100, 0)],
                 [(0, 0, .9), (200, 0, .8), (100, 0, .7), (300, 0, .1)])
    assert best_threshold(case[0], case[2]) == pytest.approx(.7)
    # detections of one score come together: 2 right of 5, not the first 2
    case = _case([(0, 0), (100, 0)], [(0, 0, .9), (100, 0, .5), (200, 0, .5), (300, 0, .5),
                                      (400, 0, .5)])
    assert best_threshold(case[0], case[2]) == pytest.approx(.9)
    assert best_threshold(*(_case([(0, 0)], [])[i] for i in (0, 2))) == 1


def test_calibration():
    case = _case([(0, 0), (100, 0)],
                 [(0, 0, .9), (100, 0, .94), (200, 0, .31), (300, 2, .31)])
    curve = calibrate(case[0], case[2])
    assert curve.count.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 2]
    assert curve.right[9] == 1 and curve.right[3] == 0 and curve.score[9] == pytest.approx(.92)
    assert curve.error == pytest.approx((2 * .08 + .31) / 3)
    assert np.isnan(calibrate(*(_case([(0, 0)], [])[i] for i in (0, 2))).error)


def test_pick_worst():
    images, labels = [5, 5, 6, 7, 8, 9], [0, 1, 0, 0, 0, 1]
    assert pick_worst(images, labels, 9, per_label=3) == [0, 2, 3, 5]
    assert pick_worst(images, labels, 2) == [0, 2]


def test_annotation_files_that_do_not_fit(tmp_path):
    part = generated.make_coco(tmp_path, count=3)
    result = read_result(generated.make_run(tmp_path / 'run', [part])).datasets[0]
    # other names for the same categories, in the order of their ids
    renamed = replace(result, classes=tuple(f'my {name}' for name in result.classes))
    assert np.array_equal(read_ground_truth(renamed).labels, read_ground_truth(result).labels)
    # names decide where they are known, whatever their order
    turned = read_ground_truth(replace(result, classes=result.classes[::-1]))
    assert np.array_equal(turned.labels, 6 - read_ground_truth(result).labels)
    with pytest.raises(ValueError, match="2 classes, but .* has 7 categories, and .* 'cat'"):
        read_ground_truth(replace(result, classes=('cat', 'red disk')))
    with pytest.raises(ValueError, match="has no image with id 'x'"):
        read_ground_truth(replace(result, images=[TestImage('x', '', (1, 1), None)]))
    with pytest.raises(FileNotFoundError, match="of 'shapes' is missing"):
        read_ground_truth(replace(result, ann_file=tmp_path / 'none.json'))
    part.ann_file.write_text('[]')
    with pytest.raises(ValueError, match="a JSON object with 'images'"):
        read_ground_truth(result)
