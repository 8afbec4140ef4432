import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked

TOY = Path(__file__).with_name('toy_test.py')


def run(folder, *options, processes=1, killed=False):
    """Metrics of a toy test, and the images that it predicted."""
    log = folder.parent / f'{folder.name}.log'
    log.unlink(missing_ok=True)
    root = str(Path(__file__).parents[2])
    env = dict(os.environ, TOY_LOG=str(log), PYTHONPATH=root, OMP_NUM_THREADS='1',
               CUDA_VISIBLE_DEVICES='')
    if processes > 1:
        result = subprocess.run(
            [sys.executable, '-m', 'torch.distributed.run', '--standalone',
             f'--nproc_per_node={processes}', str(TOY), str(folder), *options, '--launcher',
             'pytorch'], env=env, text=True, capture_output=True, timeout=300)
    else:
        result = forked.run(TOY, folder, *options, env=env)
    images = [int(line) for line in log.read_text().split()] if log.is_file() else []
    if killed:
        assert result.returncode == -9, result.stderr[-3000:]
        return None, images, result.stdout + result.stderr
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads((folder / 'toy.json').read_text()), images, result.stdout + result.stderr


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toy') / 'whole'
    return folder, *run(folder)


def test_every_image_once(whole):
    _, metrics, images, _ = whole
    assert images == list(range(11))
    assert metrics['toy/sum'] != 0


def test_killed_and_started_again_gives_the_same_bits(whole, tmp_path):
    run(tmp_path / 'cut', '--kill-after', '4', killed=True)
    metrics, images, log = run(tmp_path / 'cut')
    assert images == [6, 7, 8, 9, 10]  # the fourth batch was not yet on the disk
    assert metrics == whole[1]
    assert '6 of 11 images' in log


def test_two_processes_give_the_same_bits(whole, tmp_path):
    metrics, images, _ = run(tmp_path / 'two', processes=2)
    assert sorted(images) == list(range(11))
    assert metrics == whole[1]


def test_other_weights_are_named_and_nothing_is_reused(whole):
    folder, metrics, _, _ = whole
    other, images, log = run(folder, '--seed', '1')
    assert len(images) == 11
    assert other != metrics
    assert 'weights: not the same' in log
    assert 'model.seed: was 0, now 1' in log
    assert (folder.parent / 'whole' / 'predictions.replaced').is_dir()


def test_falls_back_where_the_order_is_the_loaders_own(tmp_path):
    from glip_mm.engine.resumable_test_loop import why_not
    assert 'shuffle' in why_not(dict(sampler=dict(type='DefaultSampler', shuffle=True)))
    assert why_not(dict(sampler=dict(type='mmdet.DefaultSampler', shuffle=False))) is None
    assert 'batch_sampler' in why_not(dict(sampler=dict(type='DefaultSampler', shuffle=False),
                                           batch_sampler=dict(type='AspectRatioBatchSampler')))
    assert 'built before' in why_not(object())
