"""Several sets in one command."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch):
    """The tool's functions."""
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    return runpy.run_path(str(ROOT / 'tools/odinw.py'))


def test_runs_get_the_options_of_training(tool):
    given = ['--data', 'a', 'b', '--shots', '3', '--subset=13', '--work-dir', 'w', '--skip-missing',
             '--seeds', '3', '30', '--model-name', 'x', '--lr=0.1']
    assert tool['run_options'](given) == ['--shots', '3', '--seeds', '3', '30', '--lr=0.1']


def test_sets_in_a_row(tool, tmp_path, pets, tiny, monkeypatch, capsys):
    monkeypatch.setattr('subprocess.run', forked.run_command)
    command = ['odinw.py', '--data', str(pets), str(tmp_path / 'absent'), '--config', tiny[0],
               '--checkpoint', tiny[1], '--shots', '0', '--workers', '0', '--work-dir',
               str(tmp_path / 'run'), '--model-name', 'tiny']
    monkeypatch.setattr(sys, 'argv', command)
    # one set fails: the others are done, and the end says so
    with pytest.raises(SystemExit, match='not finished: absent'):
        tool['main']()
    folder = tmp_path / 'run'
    assert '| mean of 1 |' in (folder / 'results.md').read_text()
    row, = json.loads((folder / 'leaderboard.json').read_text())['data']
    assert (row['dataset_name'], row['n_shot'], row['rnd_seeds'], row['model_name']) == (
        'pets', 0, [3], 'tiny')
    assert row['num_trainable_params'] == 0 and len(row['predictions']) == 1
    assert (folder / 'results.png').read_bytes()[:4] == b'\x89PNG'
    capsys.readouterr()
    # what is finished is not tested again
    monkeypatch.setattr(sys, 'argv', command[:3] + command[4:])
    tool['main']()
    said = capsys.readouterr().out
    assert 'finetune.py' not in said and '| pets | 1 |' in said


@pytest.mark.parametrize('options, message', [
    ((), "no data set of ODinW is in 'nowhere'"),
    (('--data', 'a/x', 'b/x'), "several folders are called ['x']"),
    (('--checkpoint', 'none.pth'), "--checkpoint 'none.pth' is not a file")])
def test_options_that_can_not_be(tool, tiny, options, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['odinw.py', '--config', tiny[0], '--checkpoint', tiny[1],
                                      '--odinw-root', 'nowhere', *options])
    with pytest.raises(SystemExit, match='2'):
        tool['main']()
    assert message in capsys.readouterr().err
