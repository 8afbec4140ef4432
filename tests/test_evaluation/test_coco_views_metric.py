"""AP of parts of a vocabulary from one set of predictions."""

import json

import pytest
import torch

from glip_mm.evaluation import CocoMetric, CocoViewsMetric

NAMES = ('dog', 'cat', 'owl')
BOXES = [[10, 10, 30, 30], [50, 50, 20, 20], [5, 60, 25, 25]]


def write(path, labels):
    """Write annotations of one image with all categories and the boxes of some."""
    path.write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.jpg', width=100, height=100)],
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(NAMES)],
        annotations=[dict(id=k + 1, image_id=1, category_id=i + 1, bbox=BOXES[i], iscrowd=0,
                          area=BOXES[i][2] * BOXES[i][3]) for k, i in enumerate(labels)])))
    return str(path)


def score(metric):
    """Score predictions as a test loop does: the dog found, the cat for an owl, the owl nowhere."""
    metric.dataset_meta = dict(classes=NAMES, category_ids=[1, 2, 3])
    found = dict(bboxes=torch.tensor([[10., 10, 40, 40], [5, 60, 30, 85]]),
                 scores=torch.tensor([.9, .8]), labels=torch.tensor([0, 1]))
    metric.process({}, [dict(img_id=1, ori_shape=(100, 100), pred_instances=found)])
    return metric.evaluate(1)


def test_each_view_is_as_if_scored_alone(tmp_path):
    views = dict(seen=write(tmp_path / 'seen.json', [0]), new=write(tmp_path / 'new.json', [1, 2]),
                 all=write(tmp_path / 'all.json', [0, 1, 2]),
                 unfound=write(tmp_path / 'unfound.json', [2]))
    found = score(CocoViewsMetric(views=views, metric='bbox'))
    assert found['coco/seen/bbox_mAP_50'] == 1 and found['coco/new/bbox_mAP_50'] == 0
    assert found['coco/all/bbox_mAP_50'] == pytest.approx(1 / 3, abs=1e-3)
    for name, path in views.items():
        expected = score(CocoMetric(ann_file=path, metric='bbox'))
        assert {k.replace('coco/', f'coco/{name}/'): v
                for k, v in expected.items()}.items() <= found.items()
