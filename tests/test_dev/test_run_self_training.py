"""``python -m dev.experiments.self_training`` with tools that only pretend to train and label."""

import json
import runpy
import sys

import pytest

TRAIN = '''
import os, pathlib, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[arguments.index('--work-dir') + 1])
if 'student' in arguments[0]:
    labels = pathlib.Path(os.environ['LABELS'])
    assert os.environ['TEACHER_WEIGHTS'].endswith('weights.pth')
    (out / 'read.txt').write_text((labels / 'labels' / '00000.jsonl').read_text())
(out / 'last_checkpoint').write_text(str(out / 'weights.pth'))
'''
TEST = '''
import json, pathlib, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[arguments.index('--work-dir') + 1]) / '1'
out.mkdir(parents=True)
value = 0.4 if 'student' in arguments[0] else 0.1
(out / '1.json').write_text(json.dumps({'new/coco/bbox_mAP': value, 'known/coco/bbox_mAP': 0.7,
                                        'grounding/phrases/Recall@1': 0.8}))
'''
LABEL = '''
import json, pathlib, sys
arguments = sys.argv[1:]
assert '--counts' in arguments and arguments[1].endswith('weights.pth')
out = pathlib.Path(arguments[arguments.index('--out') + 1])
(out / 'labels').mkdir(parents=True)
rows = [dict(filename=f'{i}.jpg', grounding=dict(caption=f'caption {i}', without_box=[], regions=[
    dict(phrase=f'phrase {i}', tokens_positive=[[0, 1]], bbox=[[i, 0, 9, 9]], score=[i / 10])
    for _ in range(1 + i % 2)])) for i in range(8)]
(out / 'labels' / '00000.jsonl').write_text(''.join(json.dumps(row) + chr(10) for row in rows))
(out / 'summary.json').write_text('{}')
'''


@pytest.fixture
def call(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    for name, text in (('train', TRAIN), ('test', TEST), ('pseudo_label', LABEL)):
        (tmp_path / 'tools' / f'{name}.py').write_text(text)
    (tmp_path / 'data' / 'self_training_world').mkdir(parents=True)
    (tmp_path / 'data' / 'self_training_world' / 'world.json').touch()
    monkeypatch.chdir(tmp_path)
    module = runpy.run_module('dev.experiments.self_training', run_name='tool')
    monkeypatch.setattr('dev.experiments.runs.ROOT', tmp_path)

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['run_self_training.py', '--work-dir', 'work',
                                          *map(str, arguments)])
        module['main']()
    return main


def test_a_student_reads_what_its_teacher_labelled(call, tmp_path, capsys):
    call('--seeds', 0, 1, '--jobs', 2, '--variants', 'student', 'shuffled')
    table = capsys.readouterr().out
    assert '| teacher | 2 | 10.0 ± 0.0 | 70.0 ± 0.0 | 80.0 ± 0.0 |' in table
    assert '| student − teacher | 2 | +30.0 ± 0.0 (2 of 2 better) |' in table
    assert '| shuffled − teacher | 2 |' in table
    labels = (tmp_path / 'work/teacher/seed1/labels/labels/00000.jsonl').read_text()
    assert (tmp_path / 'work/student/seed1/read.txt').read_text() == labels
    rows, mixed = ([json.loads(line)['grounding'] for line in text.splitlines()] for text in (
        labels, (tmp_path / 'work/shuffled/seed1/read.txt').read_text()))
    for own, other in zip(rows, mixed):
        assert [r['bbox'] for r in own['regions']] == [r['bbox'] for r in other['regions']]
        assert own['caption'] != other['caption']
        assert other['regions'][0]['phrase'] == other['caption'].replace('caption', 'phrase')
    assert sorted(r['caption'] for r in rows) == sorted(r['caption'] for r in mixed)


def test_what_is_done_is_not_repeated(call, tmp_path):
    call('--seeds', 0)
    (tmp_path / 'tools' / 'train.py').write_text('raise SystemExit(1)')
    (tmp_path / 'tools' / 'pseudo_label.py').write_text('raise SystemExit(1)')
    call('--seeds', 0)
    with pytest.raises(SystemExit, match='teacher, seed 1: tools/train.py ended with status 1'):
        call('--seeds', 1)


def test_errors(call, tmp_path):
    with pytest.raises(SystemExit, match="--variants 'pupil' is unknown; use teacher, student"):
        call('--variants', 'pupil')
    with pytest.raises(SystemExit, match='--jobs 0 must be at least 1'):
        call('--jobs', 0)
    (tmp_path / 'data/self_training_world/world.json').unlink()
    with pytest.raises(SystemExit, match='make_grounding_world.py --kind self_training'):
        call()
