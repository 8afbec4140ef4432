"""The quickstart's summary: exactly the promised keys, in percent, from measured files."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glip_mm.datasets.grounding_world import WorldOptions, held_out_pairs, write_world

SCRIPT = Path(__file__).parents[2] / 'tools/misc/quickstart_report.py'
spec = importlib.util.spec_from_file_location('quickstart_report', SCRIPT)
report = importlib.util.module_from_spec(spec)
spec.loader.exec_module(report)

METRICS = {key: value for key, value in zip(report.METRICS.values(), (.5, .8, .4, .7, .3, .9))}
COST = dict(train_seconds=712.3, peak_rss_mb=1024.5, iterations=10)


def write_run(tmp_path):
    test = tmp_path / 'test'
    (test / 'run' / 'vis_data').mkdir(parents=True)
    (test / 'run' / 'run.json').write_text(json.dumps(METRICS))
    (test / 'run' / 'vis_data' / 'scalars.json').write_text('{"a": 1}\n{"b": 2}\n')
    (tmp_path / 'training_cost.json').write_text(json.dumps(COST))
    return test


def test_the_quickstart_ends_with_a_summary_of_exactly_the_promised_keys(tmp_path):
    write_run(tmp_path)
    quickstart = (SCRIPT.parents[1] / 'quickstart.sh').read_text()
    command = quickstart[quickstart.index('python tools/misc/quickstart_report.py'):].rstrip()
    run = subprocess.run(
        ['bash', '-euc', f'python() {{ "{sys.executable}" "$@"; }}; {command} --no-pictures'],
        capture_output=True, text=True, cwd=SCRIPT.parents[2],
        env={**os.environ, 'PYTHONPATH': str(SCRIPT.parents[2]), 'config': 'unread.py',
             'checkpoint': 'unread.pth', 'out': str(tmp_path), 'world': str(tmp_path)})
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / 'summary.json').read_text()) == dict(
        ap_seen=50., ap50_seen=80., ap_unseen_pairs=40., ap50_unseen_pairs=70., ap50_synonyms=30.,
        phrase_recall_at_1=90., train_seconds=712.3, peak_rss_mb=1024.5)
    assert 'phrase recall @ 1' in run.stdout and '90.0' in run.stdout
    assert [line[:4] for line in run.stdout.splitlines() if line[:4] in ('PASS', 'FAIL')] == [
        'PASS', 'PASS', 'PASS']


@pytest.mark.parametrize('change, broken', [
    (dict(), None),
    (dict(ap50_seen=80., ap50_unseen_pairs=67.9), 'never seen >= 68'),
    (dict(ap50_seen=95., ap50_unseen_pairs=71.), '75 % of that of seen'),
    (dict(phrase_recall_at_1=89.9), 'recall @ 1 >= 90'),
    (dict(train_seconds=1e4), None),  # a matter of the machine
])
def test_every_promise_is_said_to_be_kept_or_broken(change, broken):
    summary = dict.fromkeys(report.ROWS, 0.) | dict(
        ap50_seen=90., ap50_unseen_pairs=80., phrase_recall_at_1=95., train_seconds=100.) | change
    said = report.table(summary).splitlines()
    failed = [line for line in said if line.startswith('FAIL')]
    assert len(failed) == (broken is not None) and all(broken in line for line in failed)
    assert sum(line.startswith('PASS') for line in said) == len(report.PROMISES) - len(failed)


def test_the_newest_complete_run_counts(tmp_path):
    test = write_run(tmp_path)
    newer = test / 'z.json'
    newer.write_text(json.dumps({**METRICS, 'seen/coco/bbox_mAP': .1}))
    os.utime(newer, (2e9, 2e9))
    assert report.read_metrics(test)['seen/coco/bbox_mAP'] == .1


def test_without_metrics_it_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match='tools/test.py'):
        report.read_metrics(tmp_path)


def test_examples_ask_for_what_training_never_saw(tmp_path):
    write_world(str(tmp_path), WorldOptions(detection=1, grounding=1, val=1, test=60, long_tail=1,
                side=96),
                workers=1)
    examples = report.choose_examples(tmp_path)
    assert len(examples) == 8
    assert examples[0][1].names == [p.name for p in held_out_pairs()]
    assert {'scarlet star', 'violet box'} <= set(examples[3][1].names)
    assert all(len(prompt.names) == 3 for _, prompt in examples[4:])
    assert all((tmp_path / 'images' / name).exists() for name, _ in examples)
