"""AP of parts of a vocabulary from one set of predictions."""

import json

import numpy as np
import pytest

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


def results():
    """Return predictions: the dog exactly, the cat for an owl, the owl nowhere."""
    boxes = np.array([[10, 10, 40, 40], [5, 60, 30, 85]], dtype=np.float32)
    return [(dict(), dict(img_id=1, bboxes=boxes, scores=np.array([.9, .8], dtype=np.float32),
                          labels=np.array([0, 1])))]


def test_each_view_is_as_if_scored_alone(tmp_path):
    views = dict(seen=write(tmp_path / 'seen.json', [0]), new=write(tmp_path / 'new.json', [1, 2]),
                 all=write(tmp_path / 'all.json', [0, 1, 2]))
    metric = CocoViewsMetric(views=views, metric='bbox')
    metric.dataset_meta = dict(classes=NAMES, category_ids=[1, 2, 3])
    found = metric.compute_metrics(results())
    assert found['seen/bbox_mAP_50'] == 1 and found['new/bbox_mAP_50'] == 0
    assert found['all/bbox_mAP_50'] == pytest.approx(1 / 3, abs=1e-3)
    for name, path in views.items():
        alone = CocoMetric(ann_file=path, metric='bbox')
        alone.dataset_meta = metric.dataset_meta
        expected = alone.compute_metrics(results())
        assert {f'{name}/{k}': v for k, v in expected.items()}.items() <= found.items()
