"""From a folder to a report, as a user goes."""

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config

from tests import forked

ROOT = Path(__file__).parents[2]


def command(tmp_path, tiny, data, *options):
    return [sys.executable, str(ROOT / 'tools/finetune.py'), '--data', str(data), '--config',
            tiny[0], '--checkpoint', tiny[1], '--work-dir', str(tmp_path / 'run'), '--workers',
            '0', *options]


def call(words, tmp_path):
    """Run a command and the tools that it runs, without the time of importing."""
    return forked.run(*words[1:], cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(ROOT)))


def finetune(tmp_path, tiny, data, *options):
    return call(command(tmp_path, tiny, data, *options), tmp_path)


def test_from_json_to_report(tmp_path, pets, tiny):
    """20 pictures, in a folder whose name would be code in a config that is not written well."""
    pets = pets.rename(pets.with_name("bob's {{$X:1}} pets"))
    words = command(tmp_path, tiny, pets, '--shots', '1', '--epochs', '2', '--copies', '2',
                    '--seeds', '3')
    done = call(words, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path / 'run'
    page = (folder / 'report/index.html').read_text()
    assert '<html' in page and 'src="data:image/jpeg;base64,' in page
    assert (folder / 'results.md').read_text().startswith('| run | AP | AP50 |')
    assert '| seed 3 | ' in done.stdout and "classes ['cat', 'dog']" in done.stdout
    results = json.loads((folder / 'results.json').read_text())
    assert list(results['runs']) == ['seed 3'] and results['shots'] == 1
    assert results['val'] == 'full' and results['empty_images_left_out'] == 0
    assert len(results['doubts']) == (results['runs']['seed 3']['AP'] == 0)
    config = Config.fromfile(folder / 'seed3/config.py')
    assert config.train_dataloader.dataset.times == 2 and config.model.type == 'glip_mm.GLIP'
    shots, = (folder / 'seed3/data').glob('train_1shot_seed3_*.json')
    assert 0 < len(json.loads(shots.read_text())['images']) < 3
    best, = (folder / 'seed3/train').glob('best_*.pth')
    assert json.loads((folder / 'seed3/test/metrics.json').read_text())['checkpoint'] == str(best)
    assert best.stat().st_size > 10_000
    # the same command again finds everything done
    again = call([*words, '--no-report'], tmp_path)
    assert again.returncode == 0 and 'train.py' not in again.stdout + again.stderr
    # the config is one to be run by hand
    hand = call([sys.executable, str(ROOT / 'tools/test.py'), str(folder / 'seed3/config.py'),
                 str(best), '--work-dir', str(tmp_path / 'hand')], tmp_path)
    assert hand.returncode == 0, hand.stderr[-3000:]
    metrics = json.loads((tmp_path / 'hand/metrics.json').read_text())['metrics']
    assert metrics['finetune/mean'] == pytest.approx(results['runs']['seed 3']['AP'], abs=1e-6)


def test_an_interrupted_run_goes_on(tmp_path, pets, tiny):
    words = command(tmp_path, tiny, pets, '--shots', '1', '--epochs', '3', '--no-report')
    running = forked.Program(*words[1:], cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    first = tmp_path / 'run/seed3/train/epoch_1.pth'
    while running.poll() is None and not first.is_file():
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    said = ''.join(running.communicate())
    assert 'interrupted: the same command goes on' in said
    assert running.wait() == 130 and not (tmp_path / 'run/seed3/trained').exists()
    done = call(words, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    log = max((tmp_path / 'run/seed3/train').glob('*/*.log')).read_text()  # of the second training
    # the validation comes first if it was cut off
    assert 'resumed epoch: 1' in log and 'Epoch(train) [1]' not in log
    assert 'Epoch(val) [2]' in log and 'Epoch(val) [3]' in log


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


def test_what_broke_in_training_is_in_the_results(tmp_path, pets, tiny):
    image = pets / 'train/train_3.jpg'
    image.write_bytes(image.read_bytes()[:400])
    done = finetune(tmp_path, tiny, pets, '--epochs', '2', '--no-report')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = json.loads((tmp_path / 'run/results.json').read_text())
    assert results['replaced_samples'] == {'seed 3': {'broken image': 2}}
    assert '2 times a training sample could not be read' in (
        tmp_path / 'run/results.md').read_text()


def test_no_shots_test_the_checkpoint(tmp_path, pets, tiny):
    done = finetune(tmp_path, tiny, pets, '--shots', '0', '--no-report')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    metrics = json.loads((tmp_path / 'run/seed3/test/metrics.json').read_text())
    assert metrics['checkpoint'] == tiny[1] and not (tmp_path / 'run/seed3/train').exists()


TRAINING = """_base_ = '{base}'
train_dataloader = dict(dataset=dict(pipeline={pipeline}))
"""
BUILD, LOAD, BOXES = ({'type': kind} for kind in ('BuildPrompt', 'LoadImage', 'LoadAnnotations'))
#: Configs by name.
BROKEN = dict(
    syntax='model = dict(\n', base="_base_ = './nothere.py'\n", empty='a = 1\n',
    other="model = dict(type='mmdet.ATSS')\n",
    words="_base_ = '{base}'\nmodel = dict(language_model=dict(name='/nowhere'))\n",
    **{name: TRAINING.replace('{pipeline}', str(pipeline).replace('{', '{{').replace('}', '}}'))
       for name, pipeline in dict(
           order=[LOAD, dict(type='Resize', scale=(9, 9)), BOXES, BUILD], text=['a'],
           nope=[LOAD, BOXES, dict(type='Nope'), BUILD]).items()})


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
    (('--val', 'few'), '--val few needs --shots'),
    (('--val', 'few', '--shots', '5'), 'or choose on all of it with --val full'),
    (('--shots', 'two'), "must be a number or 'all', got 'two'"),
    (('--seeds', '3', '3'), '--seeds [3, 3]: give each once'),
    (('--seed', '-1'), "at least 0, got '-1'"),
    (('--batch-size', '0'), "at least 1, got '0'"),
    (('--lr', 'inf'), "must be a number above 0, got 'inf'"),
    (('--cfg-options', 'model.nothing=3'), "unexpected keyword argument 'nothing'"),
    (('--checkpoint', 'JUNK'), 'cannot be read safely'),
    (('--work-dir', 'JUNK'), "--work-dir 'JUNK' is a file: give a folder"),
    (('--config', 'syntax.py'), "--config 'syntax.py', line 1 cannot be read: SyntaxError"),
    (('--config', 'base.py'), "--config 'base.py' cannot be read: FileNotFoundError"),
    (('--config', 'empty.py'), "config 'empty.py' has no model: give that of a GLIP"),
    (('--config', 'other.py'), "no model.language_model, its model.type is 'mmdet.ATSS'"),
    (('--config', 'order.py'), 'step 1 (Resize) moves the pixels before step 2 (LoadAnnotations)'),
    (('--config', 'text.py'), "train_dataloader.dataset.pipeline has the step 'a'"),
    (('--config', 'nope.py'), "cannot be built: Nope is not in the glip_mm::transform registry"),
    (('--config', 'words.py'), "model.language_model.name='/nowhere' cannot be loaded"),
    (('--cfg-options', 'train_dataloader=3'), 'train_dataloader.dataset of'),
    (('--retention', 'TINY'), 'has no test_evaluator: give a config that scores its test'),
])
def test_options_that_can_not_be(tmp_path, pets, tiny, options, message, monkeypatch, capsys):
    (tmp_path / 'JUNK').write_bytes(b'abc')
    monkeypatch.chdir(tmp_path)
    options = [tiny[0] if word == 'TINY' else word for word in options]
    for name, lines in BROKEN.items():
        (tmp_path / f'{name}.py').write_text(lines.format(base=tiny[0]))
    monkeypatch.setattr(sys, 'argv', [
        'finetune.py', '--data', str(pets), '--config', tiny[0], '--checkpoint', tiny[1],
        '--work-dir', str(tmp_path / 'run'), *options])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(str(ROOT / 'tools/finetune.py'), run_name='__main__')
    assert message in capsys.readouterr().err
