"""What is read again while a model is tuned."""

from dataclasses import replace

import pytest
from mmengine.config import Config

from glip_mm.finetuning import RunSettings, finetune_config, folder_splits
from glip_mm.finetuning.replay import read_replay

MEMBER = '''dict(type='GroundingDataset', ann_file='{}',
    pipeline=[dict(type='LoadImageFromFile'), dict(type='BuildPrompt')])'''


def write(path, dataset):
    path.write_text(f'train_dataloader = dict(dataset={dataset})\n')
    return path


def test_copies_divide_the_share(tmp_path):
    members = ', '.join(MEMBER.format(n) for n in 'ab')
    path = write(tmp_path / 'stream.py', "dict(type='glip_mm.GroundingStream', copies=[1, 3], "
                                         f'datasets=[{members}])')
    mixed = read_replay(path, 0.4).mix(dict(type='Own'), 60)
    assert [d.get('ann_file') for d in mixed['datasets']] == [None, 'a', 'b']
    assert mixed['ratios'] == pytest.approx([0.6, 0.1, 0.3])
    # the 60 images of the tuned set are 0.6 of them
    assert mixed['samples_per_epoch'] == 100


def test_one_set_without_a_stream(tmp_path):
    replay = read_replay(write(tmp_path / 'one.py', MEMBER.format('a')))
    assert replay.weights == (1, ) and replay.mix(dict(type='Own'), 7)['samples_per_epoch'] == 14


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
    assert loader['dataset']['datasets'][0]['type'] == 'ZeroShotDataset'
    assert loader['batch_sampler'] == dict(type='StreamBatchSampler')
    assert content['train_cfg']['type'] == 'ResumableEpochLoop'
    with pytest.raises(ValueError, match='learns one prompt, but --replay brings others'):
        finetune_config(base, splits, replace(settings, tuning='prompt'), tiny[1], replay=replay)
