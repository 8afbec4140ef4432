"""Every data set with every metric gives the same numbers, however a file numbers its rows."""

import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from glip_mm.datasets import ZeroShotDataset
from glip_mm.datasets.formats.opening import write_coco
from glip_mm.evaluation import CocoMetric, LVISFixedAPMetric, ODinWMetric

NAMES = ('cat', 'dog', 'hen')


def content(ids=(1, 2, 3), names=NAMES, images=(0, 1, 2, 3), file_order=(0, 1, 2)):
    """Image ``i`` shows class ``i % 3``; the last class twice."""
    boxes = [(image, image % 3, [4. + image, 5., 20., 10.]) for image in range(4)] + [
        (2, 2, [40., 30., 12., 12.])]
    return dict(
        images=[dict(id=i, file_name=f'{k}.jpg', width=100, height=80, neg_category_ids=[],
                     not_exhaustive_category_ids=[]) for k, i in enumerate(images)],
        categories=[dict(id=ids[k], name=names[k], frequency='f') for k in file_order],
        annotations=[dict(id=k, image_id=images[i], category_id=ids[c], bbox=b, iscrowd=0,
                          area=b[2] * b[3]) for k, (i, c, b) in enumerate(boxes)])


def scores(folder, rows, metric, **fields):
    """Test a model that finds everything but the second hen, and takes the dog for a hen."""
    path = str(write_coco(folder / 'a.json', rows))
    dataset = ZeroShotDataset(ann_file=path, dataset_name='set', test_mode=True, pipeline=[],
                              **fields)
    if metric == 'coco':
        metrics = CocoMetric(ann_file=path)
    elif metric == 'odinw':
        metrics = ODinWMetric(datasets=dict(set=path), renumber=True)
    else:
        metrics = LVISFixedAPMetric(ann_file=path)
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        one = info['instances'][0]
        label = 2 if info['img_path'] == '1.jpg' else one['bbox_label']
        evaluator.process([dict(img_id=info['img_id'], dataset_name='set', pred_instances=dict(
            bboxes=torch.tensor([one['bbox']]), scores=torch.tensor([.9]),
            labels=torch.tensor([label])), ori_shape=(80, 100))], {})
    found = evaluator.evaluate(len(dataset))
    key = next(k for k in found if k.rpartition('/')[2] in ('bbox_mAP', 'set', 'AP'))
    return found[key]


@pytest.mark.parametrize('metric', ['coco', 'odinw', 'lvis'])
@pytest.mark.parametrize('changes, fields', [
    (dict(file_order=(2, 0, 1)), {}), (dict(ids=(4, 17, 90)), {}), (dict(ids=(4, 17, 90)), {}),
    (dict(ids=(7, 8, 9), file_order=(1, 2, 0)), {}), (dict(ids=(0, 1, 2)), {}),
    (dict(images=(30, 4, 19, 7)), {}), (dict(names=('hen', 'hen', 'dog')), {}),
    (dict(names=('a', 'b', 'c')), dict(metainfo=dict(classes=NAMES)))])
def test_numbering_and_names_change_nothing(tmp_path, changes, fields, metric):
    expected = scores(tmp_path, content(), metric)
    assert .3 < expected < .7
    assert scores(tmp_path, content(**changes), metric, **fields) == pytest.approx(expected)


@pytest.mark.parametrize('metric', ['coco', 'odinw'])
def test_numbers_written_as_texts_and_missing_fields(tmp_path, metric):
    rows = content()
    for row in rows['annotations']:
        row.update(image_id=str(row['image_id']), category_id=float(row['category_id']), area=None,
                   iscrowd=None, id=None)
    assert scores(tmp_path, rows, metric) == pytest.approx(scores(tmp_path, content(), metric))


def test_a_zero_size_box_is_neither_learned_nor_missed(tmp_path):
    rows = content()
    expected = scores(tmp_path, rows, 'odinw')
    rows['annotations'].append(dict(id=9, image_id=1, category_id=1, bbox=[3, 3, 0, 9]))
    assert scores(tmp_path, rows, 'odinw') == pytest.approx(expected)
    (tmp_path / 'a.json').write_text(json.dumps(rows))
    dataset = ZeroShotDataset(ann_file=str(tmp_path / 'a.json'), pipeline=[])
    assert sum(len(dataset.get_data_info(i)['instances']) for i in range(4)) == 5
    assert np.all([i['bbox'][2] > i['bbox'][0] for k in range(4)
                   for i in dataset.get_data_info(k)['instances']])


def test_classes_that_the_annotations_lack(tmp_path):
    metric = CocoMetric(ann_file=str(write_coco(tmp_path / 'a.json', content())))
    assert metric.label_ids(dict(classes=NAMES)) == [1, 2, 3]
    with pytest.raises(ValueError, match="'cow'.*have 2 categories .*'cat', 'dog', 'hen'"):
        metric.label_ids(dict(classes=('cat', 'cow', 'hen')))
