"""``tools/self_train.sh`` with tools that only pretend to train and label."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# a tool writes down its call; FAIL names one that breaks
FAKE = '''
import os, pathlib, sys, zipfile
kind, arguments = pathlib.Path(sys.argv[0]).stem, sys.argv[1:]
option = dict(train='--work-dir', test='--work-dir', pseudo_label='--out')[kind]
out = pathlib.Path(arguments[arguments.index(option) + 1])
out.mkdir(parents=True, exist_ok=True)
with open('calls.txt', 'a') as file:
    print(kind, *arguments, os.environ.get('LABELS'), os.environ.get('TEACHER_WEIGHTS'), file=file)
if os.environ.get('FAIL') == kind:
    sys.exit('no more memory')
if kind == 'train':
    zipfile.ZipFile(out / 'epoch_1.pth', 'w').close()
'''


@pytest.fixture
def run(tmp_path):
    (tmp_path / 'tools').mkdir()
    shutil.copy(ROOT / 'tools' / 'self_train.sh', tmp_path / 'tools')
    for kind in ('train', 'test', 'pseudo_label'):
        (tmp_path / 'tools' / f'{kind}.py').write_text(FAKE)

    def run(*arguments, **variables):
        (tmp_path / 'calls.txt').write_text('')
        done = subprocess.run(
            ['bash', 'tools/self_train.sh', *(arguments or (
                't.py', 's.py', 'out', '--data', 'pool.jsonl', '--counts'))],
            cwd=tmp_path, capture_output=True, text=True,
            env=dict(os.environ, PYTHON=sys.executable, PYTHONPATH=str(ROOT), **variables))
        return done, (tmp_path / 'calls.txt').read_text().splitlines()
    return run


def test_from_teacher_to_student(run, tmp_path):
    done, calls = run(TRAIN_OPTIONS='--cfg-options randomness.seed=3')
    assert done.returncode == 0, done.stderr
    labels = tmp_path / 'out/round1/labels'
    after = f'{labels} out/teacher/epoch_1.pth'
    assert calls == [
        'train t.py --work-dir out/teacher --resume auto --cfg-options randomness.seed=3 None None',
        'test t.py out/teacher/epoch_1.pth --work-dir out/teacher/test None None',
        'pseudo_label t.py out/teacher/epoch_1.pth --out out/round1/labels --data pool.jsonl '
        '--counts None None',
        'train s.py --work-dir out/round1/student --resume auto --cfg-options randomness.seed=3 '
        f'{after}',
        f'test s.py out/round1/student/epoch_1.pth --work-dir out/round1/student/test {after}']
    # the labeller looks itself at what is done
    assert [call.split()[0] for call in run()[1]] == ['pseudo_label']


def test_a_step_that_fails_is_repeated(run):
    done, calls = run(FAIL='pseudo_label')
    assert done.returncode and 'no more memory' in done.stderr
    assert [call.split()[0] for call in calls] == ['train', 'test', 'pseudo_label']
    assert [call.split()[0] for call in run()[1]] == ['pseudo_label', 'train', 'test']


def test_a_training_whose_checkpoint_is_lost_is_repeated(run, tmp_path):
    run()
    (tmp_path / 'out/teacher/epoch_1.pth').write_bytes(b'half')
    done, calls = run()
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in calls] == ['train', 'pseudo_label']


def test_rounds_and_a_given_teacher(run, tmp_path):
    done, calls = run(TEACHER='given.pth', ROUNDS='2')
    assert done.returncode == 0, done.stderr
    assert [call.split()[:3] for call in calls] == [
        ['test', 't.py', 'given.pth'], ['pseudo_label', 't.py', 'given.pth'],
        ['train', 's.py', '--work-dir'], ['test', 's.py', 'out/round1/student/epoch_1.pth'],
        ['pseudo_label', 's.py', 'out/round1/student/epoch_1.pth'],
        ['train', 's.py', '--work-dir'], ['test', 's.py', 'out/round2/student/epoch_1.pth']]
    assert calls[5].endswith(f'{tmp_path}/out/round2/labels out/round1/student/epoch_1.pth')


def test_usage(run):
    done, calls = run('t.py')
    assert done.returncode == 2 and 'Usage: tools/self_train.sh TEACHER_CONFIG' in done.stderr
    assert not calls
