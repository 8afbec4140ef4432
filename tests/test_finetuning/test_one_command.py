"""From a folder to a report, as a user goes."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]


def finetune(tmp_path, tiny, data, *options):
    """Run the tool and return what it said."""
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools/finetune.py'), '--data', str(data), '--config', tiny[0],
         '--checkpoint', tiny[1], '--work-dir', str(tmp_path / 'run'), '--workers', '0',
         *options], capture_output=True, text=True, cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)))


def test_from_json_to_report(tmp_path, pets, tiny):
    options = ('--shots', '1', '--epochs', '2', '--copies', '2', '--seeds', '3')
    done = finetune(tmp_path, tiny, pets, *options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path / 'run'
    assert '<html' in (folder / 'report/index.html').read_text()
    results = json.loads((folder / 'results.json').read_text())
    assert list(results['runs']) == ['seed 3'] and results['shots'] == 1
    config = Config.fromfile(folder / 'seed3/config.py')
    assert config.train_dataloader.dataset.times == 2 and config.model.type == 'glip_mm.GLIP'
    shots = json.loads((folder / 'seed3/data/train_1shot_seed3.json').read_text())
    assert 0 < len(shots['images']) < 3
    best, = (folder / 'seed3/train').glob('best_*.pth')
    assert json.loads((folder / 'seed3/test/metrics.json').read_text())['checkpoint'] == str(best)
    assert best.stat().st_size > 10_000
    # the same command again finds everything done
    again = finetune(tmp_path, tiny, pets, *options)
    assert again.returncode == 0 and 'train.py' not in again.stdout + again.stderr


def test_what_it_knew_is_read_again_and_measured(tmp_path, pets, tiny):
    few = ('--shots', '1', '--epochs', '1', '--copies', '2', '--no-report')
    done = finetune(tmp_path, tiny, pets, *few)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    known = tmp_path / 'run/seed3/config.py'
    done = finetune(tmp_path, tiny, pets, *few, '--work-dir', str(tmp_path / 'kept'), '--replay',
                    str(known), '--retention', f'known={known}')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    config = Config.fromfile(tmp_path / 'kept/seed3/config.py')
    assert len(config.train_dataloader.dataset.datasets) == 2
    results = json.loads((tmp_path / 'kept/results.json').read_text())
    kept = results['retention']
    assert list(kept) == ['pets', 'known'] and list(kept['known']) == ['before tuning', 'seed 3']
    # here both are the same test
    assert kept['known'] == pytest.approx(kept['pets'])
    assert results['runs']['seed 3']['AP'] == kept['pets']['seed 3']
    assert '| model | pets | known |' in (tmp_path / 'kept/results.md').read_text()


def test_no_shots_test_the_checkpoint(tmp_path, pets, tiny):
    done = finetune(tmp_path, tiny, pets, '--shots', '0', '--no-report')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    metrics = json.loads((tmp_path / 'run/seed3/test/metrics.json').read_text())
    assert metrics['checkpoint'] == tiny[1] and not (tmp_path / 'run/seed3/train').exists()


@pytest.mark.parametrize('options, message', [
    (('--checkpoint', 'none.pth'), "--checkpoint 'none.pth' is not a file"),
    (('--shots', '50'), '50 shots are more than there are'),
    (('--config', 'none.py'), "--config 'none.py' is not a file"),
    (('--data', 'nowhere'), "--data 'nowhere' is not a folder"),
    (('--data', 'odinw:Cars'), "--data 'odinw:Cars' is none of ['AerialMaritimeDrone_large'"),
    (('--prompts', 'none.json'), "prompts 'none.json' is missing"),
    (('--shots', '0', '--retention', 'some.py'), 'trains nothing: leave --retention'),
    (('--retention', 'none.py'), "config 'none.py' is not a file"),
    (('--replay', 'none.py'), "--replay 'none.py' is not a file"),
    (('--shots', 'two'), "must be a number or 'all', got 'two'"),
])
def test_options_that_can_not_be(tmp_path, pets, tiny, options, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [
        'finetune.py', '--data', str(pets), '--config', tiny[0], '--checkpoint', tiny[1],
        '--work-dir', str(tmp_path / 'run'), *options])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(str(ROOT / 'tools/finetune.py'), run_name='__main__')
    assert message in capsys.readouterr().err
