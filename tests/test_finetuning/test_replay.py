"""What is read again while a model is tuned."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.finetuning import RunSettings, finetune_config, folder_splits
from glip_mm.finetuning.replay import read_replay
from glip_mm.registry import DATASETS

MEMBER = '''dict(type='GroundingDataset', ann_file='{}',
    pipeline=[dict(type='LoadImageFromFile'), dict(type='BuildPrompt')])'''
ROW = ('{"filename": "a.jpg", "width": 9, "height": 9, "grounding": {"caption": "a", '
       '"regions": []}}\n')


def write(path, dataset):
    path.write_text(f'train_dataloader = dict(dataset={dataset})\n')
    return path


@pytest.mark.parametrize('mixed, counts', [
    # 1 copy of 90 images and 3 of 10 are 3 to 1
    ('copies=[1, 3]', [60, 30, 10]), ('ratios=[1, 3], samples_per_epoch=7', [60, 10, 30]),
    ('copies=[1, 0]', [60, 40, 0])])
def test_replayed_sets_have_the_shares_of_the_pre_training(tmp_path, mixed, counts):
    (tmp_path / 'own.jsonl').write_text(ROW * 5)
    (tmp_path / 'a.jsonl').write_text(ROW * 90)
    (tmp_path / 'b.jsonl').write_text(ROW * 10)
    members = ', '.join(MEMBER.format(tmp_path / f'{n}.jsonl') for n in 'ab')
    path = write(tmp_path / 'stream.py', f"dict(type='glip_mm.GroundingStream', {mixed}, "
                                         f'datasets=[{members}])')
    own = dict(type='GroundingDataset', ann_file=str(tmp_path / 'own.jsonl'))
    with DefaultScope.overwrite_default_scope('glip_mm'):
        stream = DATASETS.build(read_replay(path, 0.4).mix(own, 60))
    # the 60 images of the tuned set are 0.6 of the 100; its own 5 images take turns
    found = Counter(stream.locate(range(100))[0].tolist())
    assert [found[i] for i in range(3)] == stream.counts == counts
    assert [Path(d.ann_file).stem for d in stream.datasets] == ['own', 'a', 'b']


def test_one_set_without_a_stream(tmp_path):
    replay = read_replay(write(tmp_path / 'one.py', MEMBER.format('a')))
    mixed = replay.mix(dict(type='Own'), 7)
    assert mixed['samples_per_epoch'] == 14 and mixed['ratios'] == [0.5, 0.5]
    assert mixed['datasets'][1]['ann_file'] == 'a'


@pytest.mark.parametrize('text, message', [
    ('x = 1', 'has no train_dataloader.dataset'),
    ("train_dataloader = dict(dataset=dict(type='CocoDataset', pipeline=[dict(type='Resize')]))",
     r'datasets\[0\] has no BuildPrompt in its pipeline'),
])
def test_configs_that_train_on_something_else(tmp_path, text, message):
    (tmp_path / 'other.py').write_text(text)
    with pytest.raises(ValueError, match=message):
        read_replay(tmp_path / 'other.py')


def test_no_config_and_no_share(tmp_path):
    with pytest.raises(FileNotFoundError, match="--replay 'none.py' is not a file"):
        read_replay('none.py')
    path = write(tmp_path / 'one.py', MEMBER.format('a'))
    for share in (0, 1, -1):
        with pytest.raises(ValueError, match=f'--replay-share {share} must be above 0'):
            read_replay(path, share)


def test_the_run_mixes_it_in(pets, tiny, tmp_path):
    base, splits = Config.fromfile(tiny[0]), folder_splits(pets)
    replay = read_replay(write(tmp_path / 'one.py', MEMBER.format('a')), 0.25)
    settings = RunSettings(shots=None, copies=2)
    content = finetune_config(base, splits, settings, tiny[1], replay=replay)
    loader = content['train_dataloader']
    assert loader['dataset']['samples_per_epoch'] == 12 * 2 / 0.75
    assert loader['dataset']['datasets'][0]['type'] == 'glip_mm.ZeroShotDataset'
    assert loader['batch_sampler'] == dict(type='glip_mm.StreamBatchSampler')
    assert content['train_cfg']['type'] == 'glip_mm.ResumableEpochLoop'
    with pytest.raises(ValueError, match='learns one prompt, but --replay brings others'):
        finetune_config(base, splits, replace(settings, tuning='prompt'), tiny[1], replay=replay)
