"""What the measuring tools refuse before they measure."""

import argparse
import json
import subprocess
import sys

import pytest

from dev.speed.arguments import ROOT, command_line, finite, json_file, positive, share


@pytest.mark.parametrize('read, text', [
    (positive, '0'), (positive, '-5'), (positive, 'x'), (share, '0'), (share, '2'),
    (share, 'nan'), (finite, 'nan'), (finite, 'inf')])
def test_impossible_numbers(read, text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is no"):
        read(text)


def test_outputs_that_cannot_be_written(tmp_path):
    for path in (tmp_path, tmp_path / 'a.md', '/proc/x.json', tmp_path / 'file' / 'b.json'):
        (tmp_path / 'file').touch()
        with pytest.raises(argparse.ArgumentTypeError):
            json_file(str(path))
    assert json_file(str(tmp_path / 'new' / 'a.json')).endswith('a.json')
    assert not list((tmp_path / 'new').iterdir())


def test_the_command_that_is_written_down_runs(tmp_path):
    assert command_line([str(ROOT / 'dev/speed/__main__.py'), '--out', 'a b.json']) == (
        "python -m dev.speed --out 'a b.json'")
    assert command_line([str(ROOT / 'dev/speed/paths.py')]) == 'python -m dev.speed.paths'


RECORD = dict(settings=dict(dtype='float32', nano=False, checkpointing=True, cold_text=False),
              machine=dict(threads=2), results=[dict(model='glip_t_b', work='names3', batch=1)])


@pytest.mark.parametrize('record, options, message', [
    ('no json', [], 'holds no record'), (dict(x=1), [], 'holds no record'),
    ([], [], 'holds no record'), (None, [], 'No such file'),
    (RECORD, ['--dtype', 'bfloat16'], 'measured with dtype float32, this is bfloat16'),
    (RECORD, ['--threads', '1'], 'measured with threads 2, this is 1'),
    (RECORD, ['--work', 'coco80'], 'has none of these cases'),
])
def test_records_that_this_run_cannot_be_compared_with(tmp_path, record, options, message):
    path = tmp_path / 'before.json'
    if record is not None:
        path.write_text(record if isinstance(record, str) else json.dumps(record))
    done = subprocess.run([sys.executable, '-m', 'dev.speed', '--compare', path, *options],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr
