"""AP over several data sets."""

import csv
import json
import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from glip_mm.evaluation import ODinWMetric


def write(path, boxes, categories=(4, 2), images=(1, 2)):
    """``boxes``: (image, category, xywh)."""
    path.write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=100, height=100) for i in images],
        categories=[dict(id=c, name=f'c{c}') for c in categories],
        annotations=[dict(id=k + 1, image_id=i, category_id=c, bbox=box, iscrowd=0,
                          area=box[2] * box[3]) for k, (i, c, box) in enumerate(boxes)])))
    return str(path)


def sample(name, image, found=()):
    """``found``: (xyxy, label, score)."""
    return dict(dataset_name=name, img_id=image, img_path=f'{image}.jpg', pred_instances=dict(
        bboxes=torch.tensor([f[0] for f in found]).float().reshape(-1, 4),
        labels=torch.tensor([f[1] for f in found]).long(),
        scores=torch.tensor([f[2] for f in found]).float()))


def evaluate(metric, samples):
    metric.process({}, samples)
    return metric.evaluate(len(samples))


BOXES = [(1, 2, [0, 0, 40, 40]), (2, 4, [50, 50, 40, 40])]
RIGHT = [([0, 0, 40, 40], 0, .9)], [([50, 50, 90, 90], 1, .8)]


def test_each_set_by_itself_and_their_mean(tmp_path):
    sets = {name: write(tmp_path / f'{name}.json', BOXES) for name in ('a', 'b', 'c')}
    metric = ODinWMetric(sets, out_file=str(tmp_path / 'out.csv'))
    half = [([0, 0, 40, 40], 0, .9), ([50, 50, 90, 90], 0, .95)]  # second box: wrong class
    result = evaluate(metric, [
        sample('b', 1, half), sample('a', 1, RIGHT[0]), sample('c', 1), sample('a', 2, RIGHT[1]),
        sample('b', 2), sample('c', 2)])
    # b: class 2 is found below one false detection (precision 1/2), class 4 never
    assert result == pytest.approx({
        'odinw/a': 1., 'odinw/b': .25, 'odinw/c': 0., 'odinw/mean': 1.25 / 3,
        'odinw/median': .25})
    rows = list(csv.DictReader(open(tmp_path / 'out.csv')))
    assert [(r['name'], float(r['AP']), int(r['boxes'])) for r in rows] == [
        ('a', 1., 2), ('b', .25, 2), ('c', 0., 2)]


def test_label_is_rank_of_the_id_not_position_in_the_file(tmp_path):
    path = write(tmp_path / 'a.json', BOXES, categories=(4, 2))
    samples = [sample('a', 1, RIGHT[0]), sample('a', 2, RIGHT[1])]
    assert evaluate(ODinWMetric(dict(a=path)), samples)['odinw/a'] == pytest.approx(1)
    swapped = [sample('a', i + 1, [(box, 1 - label, score)])
               for i, [(box, label, score)] in enumerate(RIGHT)]
    assert evaluate(ODinWMetric(dict(a=path)), swapped)['odinw/a'] == 0


def test_background_of_id_zero_is_no_class(tmp_path):
    path = write(tmp_path / 'a.json', BOXES, categories=(0, 2, 4))
    samples = [sample('a', 1, RIGHT[0]), sample('a', 2, RIGHT[1])]
    assert evaluate(ODinWMetric(dict(a=path), num_classes=dict(a=2)), samples
                    )['odinw/mean'] == pytest.approx(1)
    with pytest.raises(ValueError, match='3 categories, but the protocol has 5'):
        evaluate(ODinWMetric(dict(a=path), num_classes=dict(a=5)), samples)


def test_part_of_a_suite_has_a_mean_of_another_name(tmp_path):
    path = write(tmp_path / 'a.json', BOXES)
    result = evaluate(ODinWMetric(dict(a=path), suite_size=13), [sample('a', 1, RIGHT[0])])
    assert set(result) == {'odinw/a', 'odinw/mean_of_1', 'odinw/median_of_1'}
    assert result['odinw/a'] == pytest.approx(.5)  # the second image has no result: a miss


def test_a_set_without_boxes_is_not_in_the_mean(tmp_path):
    sets = dict(a=write(tmp_path / 'a.json', BOXES), b=write(tmp_path / 'b.json', []))
    result = evaluate(ODinWMetric(sets), [
        sample('a', 1, RIGHT[0]), sample('a', 2, RIGHT[1]), sample('b', 1, RIGHT[0])])
    assert np.isnan(result['odinw/b']) and result['odinw/mean_of_1'] == pytest.approx(1)


def test_what_is_not_a_number_says_why(tmp_path):
    """There are boxes of medium size alone; one set has none."""
    sets = dict(a=write(tmp_path / 'a.json', BOXES),
                b=write(tmp_path / 'b.json', []))
    logger, said = MMLogger.get_current_instance(), []
    logger.addHandler(handler := logging.Handler())
    handler.emit = lambda record: said.append(record.getMessage())
    metric = ODinWMetric(sets)
    try:
        # also where nothing was found at all
        for found in (RIGHT, [(), ()]):
            result = evaluate(metric, [sample('a', 1, found[0]), sample('a', 2, found[1]),
                                       sample('b', 1)])
            assert result['odinw/a'] == pytest.approx(float(bool(found[0])))
            assert metric.rows[0].APm == pytest.approx(float(bool(found[0])))
            assert all(np.isnan(value) for value in (metric.rows[0].APs, metric.rows[0].APl,
                                                     metric.rows[1].AP, metric.rows[1].APm))
    finally:
        logger.removeHandler(handler)
    assert any('-: no box of that size to find' in text for text in said)
    why, = {text for text in said if 'is not a number' in text}
    assert f"b: AP is not a number, as '{sets['b']}' has no box of any of its 2 classes" in why


def test_equals_mmdetections_coco_metric(tmp_path):
    from mmdet.evaluation import CocoMetric
    rng = np.random.default_rng(0)
    boxes = [(i, int(c), [*map(float, rng.integers(0, 50, 2)), *map(float, rng.integers(9, 50, 2))])
             for i in range(1, 6) for c in rng.choice([2, 4], 3)]
    path = write(tmp_path / 'a.json', boxes, categories=(2, 4), images=range(1, 6))
    samples = []
    for i in range(1, 6):
        found = [(np.array([x, y, x + w, y + h]) + rng.normal(0, 3, 4), int(c == 4),
                  float(rng.random())) for image, c, (x, y, w, h) in boxes if image == i]
        samples.append(dict(sample('a', i, found), ori_shape=(100, 100)))
    other = CocoMetric(ann_file=path, metric='bbox')
    other.dataset_meta = dict(classes=('c2', 'c4'))
    wanted = evaluate(other, samples)
    metric = ODinWMetric(dict(a=path))
    assert evaluate(metric, samples)['odinw/a'] == pytest.approx(wanted['coco/bbox_mAP'], abs=6e-4)
    assert metric.rows[0].AP50 == pytest.approx(wanted['coco/bbox_mAP_50'], abs=6e-4)
    assert 0 < metric.rows[0].AP < 1


def test_strangers_are_errors(tmp_path):
    metric = ODinWMetric(dict(a=write(tmp_path / 'a.json', BOXES)))
    with pytest.raises(KeyError, match="dataset_name='b'"):
        metric.process({}, [sample('b', 1)])
    with pytest.raises(ValueError, match='label 5'):
        evaluate(metric, [sample('a', 1, [([0, 0, 9, 9], 5, .5)])])
    with pytest.raises(ValueError, match='at least one'):
        ODinWMetric({})


@pytest.mark.parametrize('ids', [(0, 1), (1, 1)])
def test_ids_of_annotations_that_pycocotools_counts_wrongly(tmp_path, ids):
    path = write(tmp_path / 'a.json', BOXES)
    content = json.loads((tmp_path / 'a.json').read_text())
    for row, i in zip(content['annotations'], ids):
        row['id'] = i
    (tmp_path / 'a.json').write_text(json.dumps(content))
    samples = [sample('a', 1, RIGHT[0]), sample('a', 2, RIGHT[1])]
    assert evaluate(ODinWMetric(dict(a=path)), samples)['odinw/a'] < 1
    assert evaluate(ODinWMetric(dict(a=path), renumber=True), samples)['odinw/a'] == (
        pytest.approx(1))


def test_annotations_without_what_only_pycocotools_reads(tmp_path):
    path = write(tmp_path / 'a.json', BOXES)
    content = json.loads((tmp_path / 'a.json').read_text())
    for row in content['annotations']:
        for key in ('id', 'area', 'iscrowd'):
            del row[key]
    (tmp_path / 'a.json').write_text(json.dumps(content))
    samples = [sample('a', 1, RIGHT[0]), sample('a', 2, RIGHT[1])]
    assert evaluate(ODinWMetric(dict(a=path)), samples)['odinw/a'] == pytest.approx(1)
