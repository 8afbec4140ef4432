"""A file for the evaluation server of COCO in place of a score."""

import json

import torch
from mmdet.datasets import CocoDataset

from glip_mm.evaluation import COCOSubmission, tested_datasets
from glip_mm.evaluation.preflight import look


def write(tmp_path):
    path = tmp_path / 'image_info_test-dev2017.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=i, width=90, height=60, file_name=f'{i}.jpg') for i in (4, 2)],
        categories=[dict(id=18, name='dog'), dict(id=1, name='person')])))
    return str(path)


def test_the_file_is_coco_s_format(tmp_path):
    metric = COCOSubmission(write(tmp_path), folder=str(tmp_path / 'out'))
    metric.dataset_meta = dict(classes=('person', 'dog'))
    for image, label in ((4, 0), (2, 1)):
        metric.process({}, [dict(img_id=image, ori_shape=(60, 90), pred_instances=dict(
            bboxes=torch.tensor([[1., 2., 11., 22.]]), scores=torch.tensor([.5]),
            labels=torch.tensor([label])))])
    assert metric.evaluate(2) == {'coco/images': 2, 'coco/boxes': 2}
    rows = json.loads((tmp_path / 'out/detections_test-dev2017_glip_results.json').read_text())
    assert [(r['image_id'], r['category_id'], r['bbox'], r['score']) for r in rows] == [
        (4, 18, [1, 2, 10, 20], .5), (2, 1, [1, 2, 10, 20], .5)]


def test_boxes_that_are_not_public_are_no_fault(tmp_path):
    dataset = CocoDataset(ann_file=write(tmp_path), test_mode=True, pipeline=[],
                          metainfo=dict(classes=('person', 'dog')), data_prefix=dict(img=''))

    class Evaluator:
        metrics = [COCOSubmission(dataset.ann_file)]

    def errors():
        found = look(tested_datasets.tested_datasets(dataset), Evaluator, None)
        return [e for e in found.errors if 'cannot be scored' in e]
    assert errors() == []
    Evaluator.metrics[0].format_only = False
    assert len(errors()) == 1
