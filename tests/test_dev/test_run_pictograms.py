"""``python -m dev.experiments.pictograms`` with tools that only pretend to train and label."""

import json
import re
import runpy
import sys

import pytest
from mmengine.config import Config

from dev.experiments.label_quality import label_quality
from dev.experiments.options import ROOT

TRAIN = '''
import os, pathlib, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[arguments.index('--work-dir') + 1])
start = pathlib.Path(os.environ.get('TEACHER_WEIGHTS', '//')).parts[-3:]
if 'student' in arguments[0]:
    labels = pathlib.Path(os.environ['LABELS'])
    assert len(list((labels / 'labels').glob('*.jsonl'))) == 30
    assert start[0] == ('captions_30x' if 'second_round' in str(out) else 'C')
elif 'captions' in arguments[0].rsplit('/', 1)[1]:
    assert start[0] == 'detection'
else:
    assert 'TEACHER_WEIGHTS' not in os.environ
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
import json, pathlib, sys
arguments = sys.argv[1:]
assert 'data/pictogram_world/annotations/pool.jsonl' in arguments
size = int(arguments[arguments.index('--shard-size') + 1])
out = pathlib.Path(arguments[arguments.index('--out') + 1])
(out / 'labels').mkdir(parents=True)
row = dict(filename='a.jpg', grounding=dict(caption='a red owl', without_box=[], regions=[
    dict(phrase='red owl', bbox=[[0, 0, 10, 10]], score=[.5], tokens_positive=[[2, 9]])]))
for shard in range(-(-59 // size)):
    (out / 'labels' / f'{shard:05d}.jsonl').write_text(json.dumps(row) + chr(10))
(out / 'summary.json').write_text('{}')
'''


def truth(*regions):
    return json.dumps(dict(filename='a.jpg', grounding=dict(caption='a red owl', regions=[
        dict(phrase=phrase, bbox=[box], tokens_positive=[span])
        for phrase, box, span in regions]))) + '\n'


@pytest.fixture
def call(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    for name, text in (('train', TRAIN), ('test', TEST), ('pseudo_label', LABEL)):
        (tmp_path / 'tools' / f'{name}.py').write_text(text)
    world = tmp_path / 'data' / 'pictogram_world'
    (world / 'annotations').mkdir(parents=True)
    (world / 'world.json').write_text(json.dumps(dict(names=dict(named=['dog'], pool=['owl']))))
    (world / 'annotations' / 'pool.jsonl').write_text('{}\n' * 59)
    (world / 'annotations' / 'pool_truth.jsonl').write_text(
        truth(('red owl', [0, 0, 10, 9], [2, 9])))
    monkeypatch.chdir(tmp_path)
    module = runpy.run_module('dev.experiments.pictograms', run_name='tool')
    monkeypatch.setattr('dev.experiments.runs.ROOT', tmp_path)

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['pictograms.py', '--work-dir', 'work',
                                          *map(str, arguments)])
        module['main']()
    return main


def test_more_captions_are_read_less_often(call, tmp_path, capsys):
    call('captions', '--seeds', 0)
    table = capsys.readouterr().out.replace(' ± nan', '')
    row = next(line for line in table.splitlines() if line.startswith('| captions_30x − captions'))
    assert '| +30.0 (1 of 1 better) |' in row
    assert '| C, seed0 | 0.0 of 30 | 0.0 of 30 |' in table
    labels = (tmp_path / 'work/C/seed0/labels/labels').resolve()
    for part, files in ((1, '00000.jsonl'), (3, '{00000..00002}.jsonl'),
                        (10, '{00000..00009}.jsonl'), (30, '{00000..00029}.jsonl')):
        read = (tmp_path / f'work/captions_{part}x/seed0/read.txt').read_text()
        assert f'datasets.2.ann_file={labels}/{files} ' in read and 'ratios' not in read
    assert 'ratios=[2,1,0]' in (tmp_path / 'work/captions_0x/seed0/read.txt').read_text()
    assert (tmp_path / 'work/captions.png').stat().st_size > 5000
    (tmp_path / 'tools' / 'train.py').write_text('raise SystemExit(1)')
    call('captions', '--seeds', 0)  # what is done is not repeated


def test_claims_share_their_runs(call, tmp_path):
    call('--seeds', 0)
    assert {path.name for path in (tmp_path / 'work').iterdir() if path.is_dir()} == {
        'detection', 'A', 'B', 'C', 'captions_0x', 'captions_1x', 'captions_3x', 'captions_10x',
        'captions_30x', 'long_0x', 'long_30x', 'shuffled', 'second_round', 'captions_alone',
        'words_tuned'}
    for claim in ('fusion', 'grounding', 'captions', 'rounds', 'words', 'mix'):
        assert json.loads((tmp_path / f'work/{claim}.json').read_text())['runs']
        assert (tmp_path / f'work/{claim}.png').is_file()
    with pytest.raises(SystemExit):
        call('captoins')


@pytest.mark.parametrize('regions, expected', [
    ([('red owl', [0, 0, 10, 9], [2, 9])], {'pool': (1, 0.), 'all': (1, 0.)}),
    ([('red owl', [0, 0, 10, 4], [2, 9])], {'pool': (1, 1.), 'all': (1, 1.)}),
    # the words stand for nothing that the image shows
    ([('dog', [0, 0, 10, 10], [20, 23])], {'other words': (1, 1.), 'all': (1, 1.)}),
    ([('owlet', [0, 0, 10, 10], [6, 9])], {'other words': (1, 0.), 'all': (1, 0.)}),
])
def test_wrong_boxes(tmp_path, regions, expected):
    (tmp_path / 'truth.jsonl').write_text(truth(*regions))
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / '00000.jsonl').write_text(
        truth(('red owl', [0, 0, 10, 10], [2, 9])))
    assert label_quality(tmp_path / 'labels', tmp_path / 'truth.jsonl',
                         dict(named=['dog'], pool=['owl'])) == expected


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
