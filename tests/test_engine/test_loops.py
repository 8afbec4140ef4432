"""A training that was interrupted ends as if it had not been."""

import contextlib
import json
import os
import random
import resource
import signal
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import glip_mm.engine  # noqa: F401
from glip_mm.apis.launch import newest_checkpoint
from glip_mm.datasets import GroundingStream
from glip_mm.registry import DATASETS, MODELS
from tests import forked


@MODELS.register_module()
class ToyModel(BaseModel):
    """One layer and dropout."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 8)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer('ballast', torch.zeros(200_000))  # more than all logs together

    def forward(self, inputs, mode='loss', **kwargs):
        return dict(loss=self.dropout(self.layer(torch.stack(inputs))).square().mean())


@DATASETS.register_module()
class ToyNumbers(Dataset):
    """A number, and a random one."""

    def __len__(self):
        return 22

    def get_data_info(self, index):
        return dict(width=1, height=index % 2)

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index / 22, float(torch.rand(()))]))


def config(folder, loop, workers=0, **options):
    unit = dict(max_epochs=3) if 'Epoch' in loop else dict(max_iters=15)
    return Config(dict(
        model=dict(type='ToyModel'), work_dir=str(folder), default_scope='glip_mm',
        experiment_name='toy', randomness=dict(seed=3),
        train_dataloader=dict(
            batch_size=4, num_workers=workers, collate_fn=dict(type='pseudo_collate'),
            sampler=dict(type='StreamSampler'),
            batch_sampler=dict(type='StreamBatchSampler', window=3),
            dataset=dict(type='GroundingStream', datasets=[dict(type='ToyNumbers')])),
        train_cfg=dict(type=loop, **unit),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1, max_keep_ckpts=2,
                            backend_args=dict(backend='atomic')),
            logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='StepSeedHook')],
        log_processor=dict(by_epoch='Epoch' in loop, window_size=1), **options))


def train(cfg, stop_after=None):
    runner = Runner.from_cfg(cfg)
    losses = []
    original = runner.call_hook

    def watch(hook, **arguments):
        original(hook, **arguments)
        if hook == 'after_train_iter':
            losses.append((runner.epoch, float(arguments['outputs']['loss'])))
            if len(losses) == stop_after:
                raise KeyboardInterrupt
    runner.call_hook = watch
    if stop_after:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    else:
        runner.train()
    return losses, {k: v.clone() for k, v in runner.model.state_dict().items()}


@pytest.mark.parametrize('loop', ['ResumableEpochLoop', 'ResumableIterLoop'])
@pytest.mark.parametrize('stop_after, workers', [(2, 0), (7, 1), (10, 0)])
def test_resumed_equals_unbroken(loop, stop_after, workers, tmp_path):
    whole, weights = train(config(tmp_path / 'whole', loop))
    assert len(whole) == 15 and len({loss for _, loss in whole}) == 15
    first, _ = train(config(tmp_path / 'part', loop, workers), stop_after)
    second, resumed = train(config(tmp_path / 'part', loop, workers, resume=True))
    assert first + second == whole
    assert all(torch.equal(resumed[k], v) for k, v in weights.items())


@pytest.mark.parametrize('workers', [0, 2])
def test_random_augmentation_of_an_epoch_does_not_depend_on_those_before(workers, tmp_path):
    """Of data without a stream, as fine-tuning has it."""
    def part(folder, **options):
        cfg = config(tmp_path / folder, 'EpochBasedTrainLoop', **options)
        loader = cfg.train_dataloader
        loader.update(num_workers=workers, drop_last=True)
        loader.dataset, loader.sampler = dict(type='ToyNumbers'), dict(type='DefaultSampler')
        del loader['batch_sampler']
        if workers:
            loader.worker_init_fn = dict(type='glip_mm.seed_worker')
        cfg.default_hooks.checkpoint.update(by_epoch=True)
        return cfg

    whole, weights = train(part('whole'))
    assert len({loss for _, loss in whole}) == len(whole) == 15
    first, _ = train(part('part'), stop_after=6)  # in the second epoch
    second, resumed = train(part('part', resume=True))
    assert first[:5] + second == whole
    assert all(torch.equal(resumed[k], v) for k, v in weights.items())


@contextlib.contextmanager
def full_disk(room):
    """No file can grow beyond ``room`` bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_loses_nothing(tmp_path):
    whole, weights = train(config(tmp_path / 'whole', 'ResumableEpochLoop'))
    folder = tmp_path / 'part'
    first, _ = train(config(folder, 'ResumableEpochLoop'), stop_after=4)
    kept = newest_checkpoint(str(folder))
    cfg = config(folder, 'ResumableEpochLoop', resume=True)
    with full_disk(Path(kept).stat().st_size // 2), pytest.raises(
            OSError, match=r"iter_\d+.pth' could not be saved .* make room and resume"):
        train(cfg)
    assert newest_checkpoint(str(folder)) == kept
    assert not [p for p in folder.rglob('*') if p.suffix in ('.tmp', '.part')]
    second, resumed = train(config(folder, 'ResumableEpochLoop', resume=True))
    done = int(Path(kept).stem.split('_')[1])
    assert first[:done] + second == whole
    assert all(torch.equal(resumed[k], v) for k, v in weights.items())


def test_a_stream_of_another_seed_gives_another_training(tmp_path):
    cfg = config(tmp_path / 'other', 'ResumableEpochLoop')
    cfg.train_dataloader.dataset.seed = 1
    assert train(cfg)[0] != train(config(tmp_path / 'whole', 'ResumableEpochLoop'))[0]


def test_other_loaders_are_refused_by_name(tmp_path):
    cfg = config(tmp_path, 'ResumableEpochLoop')
    cfg.train_dataloader.update(batch_sampler=None, sampler=dict(type='DefaultSampler',
                                                                 shuffle=True))
    with pytest.raises(TypeError, match='StreamBatchSampler'):
        train(cfg)
    assert isinstance(DATASETS.build(json.loads(json.dumps(
        cfg.train_dataloader.dataset.to_dict()))), GroundingStream)


KILLED = '''
import json, sys, time
from tests.test_engine.test_loops import Runner, config
runner = Runner.from_cfg(config(sys.argv[1], sys.argv[2], resume=True))
from glip_mm.apis.launch import newest_checkpoint
runner._load_from = newest_checkpoint(sys.argv[1])
original = runner.call_hook
def watch(hook, **arguments):
    if hook == 'after_train_iter':  # before the checkpoint: no step is saved that is not noted
        with open(sys.argv[1] + '/losses.jsonl', 'a') as file:
            file.write(json.dumps([runner.iter, float(arguments['outputs']['loss'])]) + chr(10))
    original(hook, **arguments)
    if hook == 'after_train_iter':
        time.sleep(0.05)
runner.call_hook = watch
runner.train()
'''


@pytest.mark.slow
@pytest.mark.parametrize('loop', ['ResumableEpochLoop', 'ResumableIterLoop'])
def test_killed_at_any_moment_it_ends_the_same(loop, tmp_path):
    whole, weights = train(config(tmp_path / 'whole', loop))
    folder, kills, rng = tmp_path / 'part', 0, random.Random(0)
    folder.mkdir()
    root = Path(__file__).parents[2]
    while True:
        job = forked.Program('-c', KILLED, folder, loop, cwd=root,
                             env={**os.environ, 'PYTHONPATH': str(root)})
        if kills == 3:
            assert job.wait() == 0
            break
        log = folder / 'losses.jsonl'
        lines = len(log.read_text().splitlines()) if log.exists() else 0
        while job.poll() is None and not (
                log.exists() and len(log.read_text().splitlines()) >= lines + 3):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.1)
        job.send_signal(signal.SIGKILL)
        job.wait()
        kills += 1
    losses = dict(map(json.loads, log.read_text().splitlines()))
    assert [losses[i] for i in range(15)] == [loss for _, loss in whole]
    final = torch.load(newest_checkpoint(str(folder)), weights_only=True)['state_dict']
    assert all(torch.equal(final[k], v) for k, v in weights.items())
