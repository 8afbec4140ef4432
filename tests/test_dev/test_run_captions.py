"""``python -m dev.ablation.captions`` with tools that only pretend to train and label."""

import re
import runpy
import sys

import pytest
from mmengine.config import Config

from dev.ablation.options import ROOT

TRAIN = '''
import os, pathlib, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[arguments.index('--work-dir') + 1])
if 'student' in arguments[0]:
    labels = pathlib.Path(os.environ['LABELS'])
    assert len(list((labels / 'labels').glob('*.jsonl'))) == 30
    (out / 'read.txt').write_text(' '.join(arguments))
(out / 'last_checkpoint').write_text(str(out / 'weights.pth'))
'''
TEST = '''
import json, pathlib, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[arguments.index('--work-dir') + 1]) / '1'
out.mkdir(parents=True)
value = 0.4 if 'captions_30x' in str(out) else 0.1
(out / '1.json').write_text(json.dumps({'all/coco/pool/bbox_mAP_50': value,
                                        'grounding/phrases/Recall@1': 0.8}))
'''
LABEL = '''
import pathlib, sys
arguments = sys.argv[1:]
assert 'data/pictogram_world/annotations/pool.jsonl' in arguments
size = int(arguments[arguments.index('--shard-size') + 1])
out = pathlib.Path(arguments[arguments.index('--out') + 1])
(out / 'labels').mkdir(parents=True)
for shard in range(-(-59 // size)):
    (out / 'labels' / f'{shard:05d}.jsonl').touch()
(out / 'summary.json').write_text('{}')
'''


@pytest.fixture
def call(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    for name, text in (('train', TRAIN), ('test', TEST), ('pseudo_label', LABEL)):
        (tmp_path / 'tools' / f'{name}.py').write_text(text)
    world = tmp_path / 'data' / 'pictogram_world'
    (world / 'annotations').mkdir(parents=True)
    (world / 'world.json').touch()
    (world / 'annotations' / 'pool.jsonl').write_text('{}\n' * 59)
    monkeypatch.chdir(tmp_path)
    module = runpy.run_module('dev.ablation.captions', run_name='tool')
    monkeypatch.setattr('dev.ablation.runs.ROOT', tmp_path)

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['captions.py', '--work-dir', 'work',
                                          *map(str, arguments)])
        module['main']()
    return main


def test_more_captions_are_read_less_often(call, tmp_path, capsys):
    call('--seeds', 0)
    table = capsys.readouterr().out
    assert '| captions_30x − teacher | 1 | +30.0 (1 of 1 better) |' in table.replace(' ± nan', '')
    labels = (tmp_path / 'work/teacher/seed0/labels/labels').resolve()
    for part, files, copies in ((1, '00000.jsonl', '30'), (3, '{00000..00002}.jsonl', '10'),
                                (10, '{00000..00009}.jsonl', '3'),
                                (30, '{00000..00029}.jsonl', '1')):
        read = (tmp_path / f'work/captions_{part}x/seed0/read.txt').read_text()
        assert f'datasets.2.ann_file={labels}/{files} ' in read
        assert f'copies=[1,1,{copies}]' in read
    (tmp_path / 'tools' / 'train.py').write_text('raise SystemExit(1)')
    call('--seeds', 0)  # what is done is not repeated


def test_the_world_must_be_there(call, tmp_path):
    (tmp_path / 'data/pictogram_world/world.json').unlink()
    with pytest.raises(SystemExit, match='make_grounding_world.py --kind pictograms'):
        call()


def test_configs(monkeypatch):
    monkeypatch.setenv('LABELS', '/labels')
    monkeypatch.setenv('TEACHER_WEIGHTS', 'teacher.pth')
    student = Config.fromfile(ROOT / 'configs/experiments/glip_nano_pictograms-student.py')
    pseudo = student.train_dataloader.dataset.datasets[2]
    assert pseudo.ann_file == '/labels/labels/*.jsonl' and student.load_from == 'teacher.pth'
    style = Config.fromfile(ROOT / 'configs/experiments/glip_nano_pictograms-style.py')
    for config, split, files in ((student, 'val', 'val'), (student, 'test', 'test'),
                                 (style, 'test', 'test_style')):
        data, scores = config[f'{split}_dataloader'], config[f'{split}_evaluator']
        assert len(data.dataset.datasets) == len(scores.metrics) == len(scores.dataset_prefixes)
        read = [*(path for metric in scores.metrics[:-1] for path in metric.views.values()),
                *(f'/{member.ann_file}' for member in data.dataset.datasets)]
        assert len(read) == 14
        assert all(re.fullmatch(rf'.*/{files}_([a-rt-z]|s(?!tyle))\w*\.jsonl?', path)
                   for path in read)
