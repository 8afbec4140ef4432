"""AP of descriptions, beside MMDetection's metric of one file."""

import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import DODCocoMetric

from glip_mm.evaluation import DescriptionMetric

NAMES = ['dog', 'a dog not on a leash', 'one very old man who holds a long wooden stick in hand',
         'a tall man who wears a red hat']


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 50, (30, 4))
    boxes[:, 2:] += 10

    def write(name, categories):
        path = tmp_path / f'{name}.json'
        path.write_text(json.dumps(dict(
            images=[dict(id=i, width=200, height=200, file_name=f'{i}.jpg') for i in range(6)],
            categories=[dict(id=c, name=NAMES[c - 1]) for c in categories],
            annotations=[dict(id=i + 1, image_id=i // 5, category_id=i % 4 + 1, bbox=box.tolist(),
                              area=float(box[2] * box[3]), iscrowd=0)
                         for i, box in enumerate(boxes) if i % 4 + 1 in categories])))
        return str(path)
    return dict(FULL=write('full', [1, 2, 3, 4]), PRES=write('pres', [1, 3, 4]),
                ABS=write('abs', [2]))


def samples(files):
    rng = np.random.default_rng(1)
    truth = json.loads(open(files['FULL']).read())['annotations']
    for image in range(6):
        asked = [3, 1, 2] if image % 2 else [2, 4]  # label 0 is another description each time
        rows = [a for a in truth if a['image_id'] == image and a['category_id'] in asked]
        boxes = np.array([a['bbox'] for a in rows]) + rng.normal(0, 2, (len(rows), 4))
        boxes[:, 2:] += boxes[:, :2]
        labels = [asked.index(a['category_id']) for a in rows]
        yield dict(img_id=image, category_ids=asked, sent_ids=np.array(asked), pred_instances=dict(
            bboxes=torch.tensor(boxes), labels=torch.tensor(labels),
            scores=torch.tensor(rng.uniform(.1, 1, len(rows)))))


def test_each_subset_as_mmdetection_has_it(files):
    ours = DescriptionMetric(files)
    ours.process({}, list(samples(files)))
    found = ours.evaluate(6)
    assert 0 < found['d3/FULL_mAP'] < found['d3/FULL_mAP_50'] < 1
    for subset, path in files.items():
        theirs = DODCocoMetric(ann_file=path)
        known = {c['id'] for c in json.loads(open(path).read())['categories']}
        for sample in samples(files):
            keep = torch.tensor([sample['category_ids'][label] in known
                                 for label in sample['pred_instances']['labels']])
            sample['pred_instances'] = {k: v[keep] for k, v in sample['pred_instances'].items()}
            theirs.process({}, [sample])
        if subset == 'FULL':  # it divides by zero where a length has no description
            wanted = theirs.evaluate(6)
            for key in ('mAP', 'mAP_50', 'mAP_75', 'mAP_short', 'mAP_mid', 'mAP_long',
                        'mAP_very_long'):
                assert found[f'd3/FULL_{key}'] == pytest.approx(wanted[f'dod/{key}'], abs=6e-4), key
    assert np.isnan(found['d3/ABS_mAP_long'])
    assert found['d3/ABS_mAP'] == pytest.approx(found['d3/FULL_mAP_mid'])
    assert found['d3/PRES_mAP'] == pytest.approx(
        sum(found[f'd3/FULL_mAP_{length}'] for length in ('short', 'long', 'very_long')) / 3)


def test_no_detections_are_a_score_of_zero(files):
    metric = DescriptionMetric(files)
    sample = next(samples(files))
    sample['pred_instances'] = {k: v[:0] for k, v in sample['pred_instances'].items()}
    metric.process({}, [sample])
    assert metric.evaluate(1)['d3/ABS_mAP'] == 0
