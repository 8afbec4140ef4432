"""GroundingResult."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from glip_mm.apis import GroundingResult
from glip_mm.text import Prompt


@pytest.fixture
def result() -> GroundingResult:
    sample = DetDataSample(metainfo=dict(
        prompt=Prompt.from_names(['cat', 'dog']), img_path='é.jpg', ori_shape=(30, 40)))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[1., 2., 11., 22.], [0., 0., 5., 5.], [3., 3., 9., 9.]]),
        scores=torch.tensor([0.5, 0.9, 0.25]), labels=torch.tensor([1, 0, 1]))
    return GroundingResult.from_data_sample(sample)


def test_names_and_size(result):
    assert result.names == ['dog', 'cat', 'dog']
    assert result.size == (40, 30) and len(result) == 3


def test_select_keeps_the_best_first(result):
    assert result.select().scores.tolist() == pytest.approx([0.9, 0.5, 0.25])
    assert result.select(0.5).names == ['cat', 'dog']
    assert result.select(names=['dog'], top_k=1).boxes.tolist() == [[1, 2, 11, 22]]
    # a string is one name: the letters of it, or names within it, are not meant
    assert result.select(names='dog').names == ['dog', 'dog']
    assert result.select(names='hot dog').names == []
    # nothing found is still a result, unlike the None of an image that failed
    assert len(result.select(2.0)) == 0 and result.select(2.0)
    assert result.select(2.0).boxes.shape == (0, 4)


def test_json(result, tmp_path):
    path = result.save(tmp_path / 'deep' / 'found.json')
    saved = json.loads(path.read_text(encoding='utf-8'))
    assert saved == dict(
        boxes=[[1, 2, 11, 22], [0, 0, 5, 5], [3, 3, 9, 9]], scores=[0.5, 0.9, 0.25],
        labels=[1, 0, 1], names=['dog', 'cat', 'dog'], caption='cat. dog', path='é.jpg',
        width=40, height=30)
    assert list(path.parent.iterdir()) == [path]


def test_coco_rows(result):
    row = result.to_coco(7, category_ids=[1, 18])[0]
    assert row == dict(image_id=7, category_id=18, bbox=[1, 2, 10, 20], score=0.5)
    np.testing.assert_equal([r['category_id'] for r in result.to_coco(7)], [1, 0, 1])


def test_short_form(result):
    assert repr(result) == 'GroundingResult(é.jpg: 3 boxes: dog 0.50, cat 0.90, dog 0.25)'
