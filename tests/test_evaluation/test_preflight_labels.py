"""Every data set with every metric: right boxes score 1.0, or the pair is refused."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmdet.evaluation import CocoMetric as MMDetCocoMetric
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.evaluation.metrics import CocoMetric, LVISFixedAPMetric, ODinWMetric
from glip_mm.evaluation.preflight import look
from glip_mm.evaluation.tested_datasets import tested_datasets as datasets_of
from glip_mm.registry import DATASETS

#: Categories (id, name) in the order of the file, classes of metainfo (None: those of the file).
FILES = dict(
    plain=([(1, 'cat'), (2, 'dog'), (3, 'cow')], None),
    shuffled=([(3, 'cow'), (1, 'cat'), (2, 'dog')], None),
    gaps=([(4, 'cat'), (20, 'dog'), (90, 'cow')], None),
    shuffled_gaps=([(90, 'cat'), (4, 'dog'), (20, 'cow')], None),
    from_zero=([(0, 'cat'), (1, 'dog'), (2, 'cow')], None),
    other_order=([(1, 'cat'), (2, 'dog'), (3, 'cow')], ('dog', 'cow', 'cat')),
    subset=([(1, 'cat'), (2, 'dog'), (3, 'cow')], ('dog', 'cow')),
    shuffled_subset=([(3, 'cow'), (1, 'cat'), (2, 'dog')], ('cat', 'cow')),
    renamed=([(1, 'cat'), (2, 'dog'), (3, 'cow')], ('kitty', 'hound', 'cattle')),
    twice=([(1, 'cat'), (2, 'dog'), (3, 'cat')], None),
    background=([(0, 'animals'), (1, 'cat'), (2, 'dog')], ('cat', 'dog')),
)
DATASET_TYPES = ('ZeroShotDataset', 'CocoDataset', 'GroundingDataset')
METRICS = dict(mmdet=lambda path: MMDetCocoMetric(ann_file=path, metric='bbox'),
               coco=lambda path: CocoMetric(ann_file=path),
               odinw=lambda path: ODinWMetric(dict(set=path)), lvis=LVISFixedAPMetric)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """An image for each category, with a box of 40 pixels; scale and place differ."""
    folder = tmp_path_factory.mktemp('set')
    for name, (categories, _) in FILES.items():
        boxed = [row for row in categories if row[1] != 'animals']
        (folder / f'{name}.json').write_text(json.dumps(dict(
            images=[dict(id=k, file_name='a.png', width=99, height=99, neg_category_ids=[],
                         not_exhaustive_category_ids=[]) for k in range(1, 1 + len(boxed))],
            annotations=[dict(id=k, image_id=k, category_id=i, bbox=[5 * k, 9, 40, 40], area=1600,
                              iscrowd=0) for k, (i, _) in enumerate(boxed, 1)],
            categories=[dict(id=i, name=n, frequency='f', supercategory='none' if n == 'animals'
                             else 'animals') for i, n in categories])))
    Image.new('RGB', (99, 99)).save(folder / 'a.png')
    return folder


def build(folder, kind, name, classes):
    options = dict(test_mode=True, metainfo=dict(classes=classes)) if classes else {}
    if kind == 'CocoDataset' and not classes:
        options['metainfo'] = dict(classes=tuple(n for _, n in FILES[name][0]))
    if kind == 'GroundingDataset':
        options['format'] = 'coco'
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(dict(
            type=kind, ann_file=str(folder / f'{name}.json'), data_prefix=dict(img=str(folder)),
            pipeline=[], test_mode=True), **options))
    return datasets_of(dataset)[0]._replace(name='set')


def score(dataset, metric):
    """The value of a metric for the boxes of the data set itself."""
    metric.dataset_meta = dataset.dataset.metainfo
    for i in range(dataset.num_images):
        info = dataset.dataset.get_data_info(i)
        boxes = [one['bbox'] for one in info['instances']]
        metric.process({}, [dict(
            dataset_name='set', img_id=info['img_id'], ori_shape=(99, 99), pred_instances=dict(
                bboxes=torch.tensor(boxes).float().reshape(-1, 4), scores=torch.ones(len(boxes)),
                labels=torch.tensor([one['bbox_label'] for one in info['instances']]).long()))])
    results = metric.evaluate(dataset.num_images)
    return next(results[key] for key in ('coco/bbox_mAP', 'odinw/set', 'lvis/AP')
                if key in results)


@pytest.mark.parametrize('metric', METRICS)
@pytest.mark.parametrize('kind', DATASET_TYPES)
@pytest.mark.parametrize('name', FILES)
def test_equal_numbers_or_none(folder, name, kind, metric):
    path = str(folder / f'{name}.json')
    try:
        dataset = build(folder, kind, name, FILES[name][1])
    except ValueError:
        return  # the data set itself refuses
    measure = METRICS[metric](path)
    errors = look([dataset], SimpleNamespace(metrics=[measure]), torch.nn.Identity()).errors
    if not errors:
        assert score(dataset, measure) == pytest.approx(1)
    # what agrees is not refused: order and gaps of ids matter where names or places decide alone
    by_id = kind == 'ZeroShotDataset' and metric != 'mmdet'
    agree = ('plain', 'gaps', 'from_zero', 'twice', *(['shuffled', 'shuffled_gaps'] * by_id))
    if name in agree:
        assert errors == []


def test_the_message_has_both_orders(folder):
    dataset = build(folder, 'ZeroShotDataset', 'shuffled', None)
    metric = METRICS['mmdet'](str(folder / 'shuffled.json'))
    error, = look([dataset], SimpleNamespace(metrics=[metric]), torch.nn.Identity()).errors
    assert 'set: CocoMetric takes labels for other categories than the data set does' in error
    assert "['1 cat', '2 dog', '3 cow']" in error and "['3 cow', '1 cat', '2 dog']" in error
    assert "from label 0 on: '1 cat' against '3 cow'" in error
