"""``python -m dev.experiments`` with tools that only pretend to train."""

import json
import math
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config

from dev.experiments.runs import Run, run_all

ROOT = Path(__file__).parents[2]
# stands in for tools/train.py and tools/test.py: AP rises with the variant and the seed
FAKE = '''
import json, pathlib, sys
arguments = sys.argv[1:]
out = pathlib.Path(arguments[arguments.index('--work-dir') + 1])
seed = int(next(a for a in arguments if a.startswith('randomness.seed=')).split('=')[1])
name = pathlib.Path(arguments[0]).stem
with open(out.parents[{depth}] / 'calls.txt', 'a') as file:
    file.write(f'{kind} {{name}} {{seed}} {{"--resume" in arguments}}\\n')
if 'fail=True' in arguments:
    sys.exit('no more memory')
if '{kind}' == 'train':
    (out / 'last_checkpoint').write_text(str(out / 'epoch_3.pth'))
    (out / 'training_cost.json').write_text(json.dumps(dict(train_seconds=60. + seed)))
else:
    assert arguments[1].endswith('epoch_3.pth')
    (out / '1').mkdir(parents=True)
    metrics = {{'grounding/phrases/Recall@1': 0.5}}
    if name != 'a':
        metrics['seen/coco/bbox_mAP'] = metrics['unseen/coco/bbox_mAP'] = 0.1 * (1 + seed)
    (out / '1' / '1.json').write_text(json.dumps(metrics))
'''


@pytest.fixture
def tool(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    for kind, depth in (('train', 1), ('test', 2)):
        (tmp_path / 'tools' / f'{kind}.py').write_text(FAKE.format(kind=kind, depth=depth))
    for name in 'ab':
        (tmp_path / f'{name}.py').write_text(f"variant = '{name}'\n")
    module = runpy.run_module('dev.experiments.__main__', run_name='tool')
    monkeypatch.setattr('dev.experiments.runs.ROOT', tmp_path)
    return module


def call(tool, monkeypatch, tmp_path, *arguments):
    monkeypatch.setattr(sys, 'argv', [
        'run_ablation.py', '--variants', f"A={tmp_path / 'a.py'}", f"B={tmp_path / 'b.py'}",
        '--work-dir', str(tmp_path / 'work'), *map(str, arguments)])
    tool['main']()


def calls(tmp_path):
    return (tmp_path / 'work' / 'calls.txt').read_text().splitlines()


def test_runs_are_made_once_collected_and_compared(tool, monkeypatch, tmp_path, capsys):
    call(tool, monkeypatch, tmp_path, '--seeds', 0, 1)
    assert calls(tmp_path) == [
        f'{kind} {name} {seed} {kind == "train"}'
        for seed in (0, 1) for name in 'ab' for kind in ('train', 'test')]
    table = capsys.readouterr().out
    assert '| B | 2 | 15.0 ± 7.1 | 15.0 ± 7.1 | 50.0 ± 0.0 |' in table
    # nothing detected is an AP of 0
    assert '| A | 2 | 0.0 ± 0.0 |' in table
    assert '| B − A | 2 | +15.0 ± 7.1 (2 of 2 better) |' in table
    work = tmp_path / 'work'
    results = json.loads((work / 'results.json').read_text())
    assert [(r['variant'], r['seed']) for r in results['runs']] == [
        ('A', 0), ('A', 1), ('B', 0), ('B', 1)]
    assert math.isclose(results['mean']['B']['ap_seen']['mean'], 15.)
    assert (work / 'results.md').read_text() in table and (work / 'results.png').stat().st_size
    # again: nothing is left to do; one more seed: only that
    call(tool, monkeypatch, tmp_path, '--seeds', 0, 1)
    assert len(calls(tmp_path)) == 8
    call(tool, monkeypatch, tmp_path, '--seeds', 2)
    assert len(calls(tmp_path)) == 12 and '| B | 3 |' in capsys.readouterr().out


def test_a_failed_run_shows_its_end_and_is_resumed(tool, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match='A, seed 0.*status 1(.|\n)*no more memory'):
        call(tool, monkeypatch, tmp_path, '--seeds', 0, '--cfg-options', 'fail=True')
    with pytest.raises(SystemExit, match='other settings'):
        call(tool, monkeypatch, tmp_path, '--seeds', 0)
    call(tool, monkeypatch, tmp_path, '--seeds', 0, '--restart')
    assert len(calls(tmp_path)) == 5


def test_an_interrupted_run_goes_on_where_it_stopped(tool, monkeypatch, tmp_path):
    call(tool, monkeypatch, tmp_path, '--seeds', 0)
    file = tmp_path / 'work' / 'B' / 'seed0' / 'run.json'
    state = json.loads(file.read_text())
    for key in ('metrics', 'trained'):
        del state[key]
    file.write_text(json.dumps(state))
    (tmp_path / 'work' / 'B' / 'seed0' / 'test' / '1' / '1.json').unlink()
    (tmp_path / 'work' / 'B' / 'seed0' / 'test' / '1').rmdir()
    call(tool, monkeypatch, tmp_path, '--seeds', 0)
    assert calls(tmp_path)[4:] == ['train b 0 True', 'test b 0 False']


def test_runs_at_the_same_time(tool, monkeypatch, tmp_path):
    call(tool, monkeypatch, tmp_path, '--seeds', 0, '--jobs', 2)
    assert sorted(calls(tmp_path)) == ['test a 0 False', 'test b 0 False', 'train a 0 True',
                                       'train b 0 True']


def test_a_failure_stops_the_others(tool, monkeypatch, tmp_path):
    slow = tmp_path / 'tools' / 'train.py'
    slow.write_text("import sys, time\ntime.sleep(0 if sys.argv[1].endswith('a.py') else 60)\n"
                    "sys.exit(1)")
    start = time.perf_counter()
    with pytest.raises(SystemExit, match='A, seed 0'):
        call(tool, monkeypatch, tmp_path, '--seeds', 0, '--jobs', 2)
    assert time.perf_counter() - start < 50


def test_an_interrupt_leaves_nothing_running(tool, tmp_path):
    (tmp_path / 'tools' / 'train.py').write_text(
        'import os, pathlib, time\n'
        f'pathlib.Path({str(tmp_path)!r}, "pid.part").write_text(str(os.getpid()))\n'
        f'os.rename({str(tmp_path / "pid.part")!r}, {str(tmp_path / "pid")!r})\n'
        'time.sleep(120)')
    script = (f'import runpy, sys; sys.path.insert(0, {str(ROOT)!r})\n'
              'import pathlib, dev.experiments.runs\n'
              f'dev.experiments.runs.ROOT = pathlib.Path({str(tmp_path)!r})\n'
              'runpy.run_module("dev.experiments", run_name="__main__")')
    main = subprocess.Popen([sys.executable, '-c', script, '--seeds', '0', '--work-dir',
                             str(tmp_path / 'work'), '--variants', f"A={tmp_path / 'a.py'}"],
                            stderr=subprocess.PIPE, start_new_session=True,
                            # a shell's background jobs, such as these tests, ignore interrupts
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    deadline = time.monotonic() + 120
    while not (tmp_path / 'pid').exists():
        assert main.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    main.send_signal(signal.SIGINT)
    assert main.wait(60) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'pid').read_text()), 0)


def test_two_at_once_do_not_meet_in_one_folder(tool, monkeypatch, tmp_path):
    from dev.experiments.runs import lock
    held = lock(tmp_path / 'work')
    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE,
                             close_fds=False)
    os.close(held)
    try:
        # the first tool is gone, its training is not
        with pytest.raises(SystemExit, match='is in use'):
            call(tool, monkeypatch, tmp_path, '--seeds', 0)
    finally:
        child.communicate(b'\n')
    os.close(lock(tmp_path / 'work'))


@pytest.mark.parametrize('more, message', [
    (['--variants', 'D'], "'D' is unknown; use A, B, C"),
    (['--variants', 'D=none.py'], "'none.py' is not a file"),
    (['--report-only'], 'no run in'),
])
def test_errors_say_what_to_do(tool, monkeypatch, tmp_path, more, message):
    with pytest.raises(SystemExit, match=message):
        call(tool, monkeypatch, tmp_path, *more)


def test_variants_differ_by_what_they_say_alone():
    a, b, c, base = (Config.fromfile(ROOT / 'configs' / path).to_dict() for path in (
        'experiments/glip_nano-a_detection.py', 'experiments/glip_nano-b_detection.py',
        'experiments/glip_nano-c_detection-grounding.py',
        'experiments/glip_nano_grounding-world.py'))
    assert c == base
    assert a['model']['fusion_neck'].pop('fuse') is False
    assert a == b
    del b['detection']
    read = b['train_dataloader'].pop('dataset')
    both = c['train_dataloader'].pop('dataset')
    assert read == dict(both, datasets=both['datasets'][:1])
    assert [d['ann_file'] for d in both['datasets']] == [
        f'annotations/train_{kind}.jsonl' for kind in ('detection', 'grounding')]
    assert b == c


class Noted(Run):
    """A run that notes when it begins, and does nothing."""

    def __init__(self, name, begun, **options):
        super().__init__(Path(name), name, '', 0, [], **options)
        self.begun = begun

    def train(self, bar):
        self.begun.append(self.variant)

    def test(self, bar):
        pass


@pytest.mark.parametrize('jobs', [1, 2])
def test_a_run_that_is_not_ready_lets_others_go_first(jobs):
    begun = []
    run_all([Noted('student', begun, ready=lambda: 'teacher' in begun), Noted('other', begun),
             Noted('teacher', begun)], jobs)
    assert sorted(begun) == ['other', 'student', 'teacher']
    assert begun.index('student') > begun.index('teacher')
