"""tools/test.py, a released config and official weights give the official detections."""

import json
import os

import torch

from dev.parity.architecture import load_keys, seeded_weights
from dev.parity.golden import GoldenCase
from dev.parity.inference import match_detections
from dev.parity.table import format_table
from glip_mm.evaluation.predictions import PredictionStore
from tests import forked

from .conftest import GOLDEN, ROOT

NAMES = ('cat', 'remote control', 'coffee cup')


def test_the_command_gives_the_official_boxes(tmp_path):
    case = GoldenCase(GOLDEN / 'glip_t/infer_ab_short')
    assert case.meta['prompt'] == '. '.join(NAMES)
    state, row = seeded_weights(load_keys(GOLDEN / 'glip_t'), GOLDEN / 'seeded_weights.py', False)
    assert row.passed, row
    torch.save(dict(model=state), tmp_path / 'official.pth')
    del state
    (tmp_path / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{name}.png', width=w, height=h) for i, (name, (h, w)) in
                enumerate(zip(case.meta['images'], case.meta['image_sizes_hw']))],
        annotations=[dict(id=i + 1, image_id=i % 2, category_id=i + 1, bbox=[9, 9, 90, 90],
                          area=8100, iscrowd=0) for i in range(3)],
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(NAMES)])))
    (tmp_path / 'small.py').write_text(f'''
_base_ = '{ROOT}/configs/coco/glip_swin-t_o365-goldg_coco.py'
model_name = 'seeded'  # nothing is published of it
# the official images are padded to one size, which changes the scores of the smaller one
model = dict(test_cfg=dict(mix_sizes=True))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (256, 1333)
test_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(
        data_root='', ann_file='{tmp_path}/a.json', data_prefix=dict(img='{GOLDEN}/images/'),
        metainfo=dict(classes={NAMES}), pipeline=test_pipeline))
test_evaluator = dict(ann_file='{tmp_path}/a.json')
''')
    done = forked.run(ROOT / 'tools/test.py', 'small.py', 'official.pth', cwd=tmp_path,
                      env={**os.environ, 'PYTHONPATH': str(ROOT), 'HF_HUB_OFFLINE': '1'})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    store = PredictionStore(tmp_path / 'work_dirs/small/predictions')
    rows = []
    for found in store:
        rows += match_detections(
            *(case.arrays[f'det{found.index}.{k}'] for k in ('boxes', 'scores', 'labels')),
            _Found(found), f'image {found.index}')
    assert len(rows) == 6
    assert all(row.passed for row in rows), '\n' + format_table(rows)


class _Found:
    def __init__(self, found):
        self.bboxes, self.scores, self.labels = (
            torch.from_numpy(x) for x in (found.bboxes, found.scores, found.labels))
