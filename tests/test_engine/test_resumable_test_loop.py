import json
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest

from glip_mm.evaluation.predictions import PredictionStore
from tests import forked

TOY = Path(__file__).with_name('toy_test.py')


def run(folder, *options, processes=1, killed=None):
    """Metrics of a toy test, and the images that it predicted.

    ``killed``: rank that kills itself, whose end ends the others.
    """
    log = folder.parent / f'{folder.name}.log'
    log.unlink(missing_ok=True)
    root = str(Path(__file__).parents[2])
    env = dict(os.environ, TOY_LOG=str(log), PYTHONPATH=root, OMP_NUM_THREADS='1',
               CUDA_VISIBLE_DEVICES='')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        env.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free.getsockname()[1]),
                   WORLD_SIZE=str(processes))
    group = ['--launcher', 'pytorch'] * (processes > 1)
    programs = [forked.Program(TOY, folder, *options, *group,
                               env=dict(env, RANK=str(rank), LOCAL_RANK=str(rank)))
                for rank in range(processes)]
    said = [''.join(program.communicate()) for program in programs]
    ends = [program.wait() for program in programs]
    images = [int(line) for line in log.read_text().split()] if log.is_file() else []
    if killed is not None:
        assert ends.pop(killed) == -9 and all(ends), said
        return None, images, ''.join(said)
    assert not any(ends), said
    return json.loads((folder / 'toy.json').read_text()), images, ''.join(said)


def stored(folder):
    """All that the parts hold of each image, as text."""
    return [str([np.asarray(value).tolist() for value in prediction])
            for prediction in PredictionStore(folder / 'predictions')]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toy') / 'whole'
    return folder, *run(folder)


def test_every_image_once(whole):
    _, metrics, images, _ = whole
    assert images == list(range(11))
    assert metrics['toy/sum'] != 0


def test_killed_and_started_again_gives_the_same_bits(whole, tmp_path):
    run(tmp_path / 'cut', '--kill-after', '4', killed=0)
    metrics, images, log = run(tmp_path / 'cut')
    assert images == [6, 7, 8, 9, 10]  # the fourth batch was not yet on the disk
    assert metrics == whole[1]
    assert '6 of 11 images' in log


def test_two_processes_give_the_same_bits(whole, tmp_path):
    metrics, images, _ = run(tmp_path / 'two', processes=2)
    assert sorted(images) == list(range(11))
    assert metrics == whole[1] and stored(tmp_path / 'two') == stored(whole[0])


@pytest.mark.parametrize('rank', [0, 1])
@pytest.mark.parametrize('then', [1, 2])
def test_one_of_two_processes_is_killed(whole, tmp_path, rank, then):
    folder = tmp_path / 'cut'
    _, before, said = run(folder, '--kill-after', '2', '--kill-rank', str(rank), processes=2,
                       killed=rank)
    assert 'another process of this job ended before its time' in said
    metrics, images, log = run(folder, processes=then)
    kept = int(re.search(r'(\d+) of 11 images', log)[1])
    assert 0 < kept == 11 - len(images) and set(before + images) == set(range(11))
    assert metrics == whole[1] and stored(folder) == stored(whole[0])


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
