"""A training that is killed while it saves or validates loses neither a file nor a validation."""

import os

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

import glip_mm.engine  # noqa: F401
from glip_mm.apis.launch import newest_checkpoint
from glip_mm.registry import DATASETS, METRICS, MODELS

SCORES = [0.1, 0.5, 0.4, 0.6, 0.6, 0.6, 0.7]


@MODELS.register_module()
class CountingModel(BaseModel):
    """The number of steps."""

    def __init__(self):
        super().__init__()
        self.steps = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='loss'):
        if mode == 'loss':
            return dict(loss=-self.steps.sum())
        return [self.steps.data] * len(inputs)


@DATASETS.register_module()
class TwoNumbers(Dataset):
    metainfo = {}

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return dict(inputs=torch.ones(1))


@METRICS.register_module()
class ScoreOfTable(BaseMetric):
    """The score of an epoch by the table above."""

    def process(self, data_batch, data_samples):
        self.results += [round(s.item()) for s in data_samples]

    def compute_metrics(self, results):
        score = SCORES[results[0] // 2 - 1]
        return dict(seen=len(results)) if score is None else dict(score=score)


def runner(folder, epochs=4, keep=1, patience=9, **options):
    Runner._instances = {}
    loader = dict(batch_size=1, num_workers=0, dataset=dict(type='TwoNumbers'),
                  sampler=dict(type='DefaultSampler', shuffle=False),
                  collate_fn=dict(type='default_collate'))
    return Runner(
        model=dict(type='CountingModel'), work_dir=str(folder), default_scope='glip_mm',
        train_dataloader=loader, val_dataloader=loader, val_cfg=dict(),
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
        val_evaluator=dict(type='ScoreOfTable'),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.)),
        default_hooks=dict(checkpoint=dict(
            type='CheckpointHook', interval=1, max_keep_ckpts=keep, save_best='score',
            rule='greater')),
        custom_hooks=[dict(type='EarlyStoppingHook', monitor='score', rule='greater', min_delta=0,
                           patience=patience)],
        experiment_name=f'{folder}{len(os.listdir(folder)) if folder.exists() else 0}', **options)


def resumed(folder, **options):
    return runner(folder, resume=True, load_from=newest_checkpoint(folder), **options)


def names(folder):
    return sorted(p.name for p in folder.glob('*.pth'))


def validations(training):
    """Epochs of the validations of a training from now on."""
    seen, call = [], training.call_hook

    def watch(name, **arguments):
        call(name, **arguments)
        if name == 'after_val_epoch':
            seen.append(training.epoch)
    training.call_hook = watch
    training.train()
    return seen


class Killed(BaseException):
    pass


def kill_at(training, moment, step):
    """Train until the file of a step is about to be written, or was."""
    save = training.save_checkpoint

    def stop(folder, filename, *arguments, **options):
        if filename == step and moment == 'before':
            raise Killed
        save(folder, filename, *arguments, **options)
        if filename == step:
            raise Killed
    training.save_checkpoint = stop
    with pytest.raises(Killed):
        training.train()


def test_the_old_file_is_there_until_the_new_one_is(tmp_path):
    kill_at(runner(tmp_path), 'before', 'epoch_2.pth')
    assert names(tmp_path) == ['best_score_epoch_1.pth', 'epoch_1.pth']
    kill_at(resumed(tmp_path), 'after', 'epoch_2.pth')
    assert names(tmp_path) == ['best_score_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth']
    kill_at(resumed(tmp_path), 'before', 'best_score_epoch_2.pth')
    # the resumed training deleted what the killed one left
    assert names(tmp_path) == ['best_score_epoch_1.pth', 'epoch_2.pth']
    resumed(tmp_path).train()
    assert names(tmp_path) == ['best_score_epoch_4.pth', 'epoch_4.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_4.pth')


@pytest.mark.parametrize('step', ['epoch_2.pth', 'epoch_3.pth', 'epoch_4.pth',
                                  'best_score_epoch_4.pth'])
def test_a_validation_that_was_missed_is_repeated(tmp_path, step):
    runner(tmp_path / 'whole').train()
    kill_at(runner(tmp_path / 'part'), 'after', step)
    training = resumed(tmp_path / 'part')
    begin = int(step[-5])
    assert validations(training) == list(range(begin, 5))
    assert names(tmp_path / 'part') == names(tmp_path / 'whole')
    for file in names(tmp_path / 'whole'):
        whole, part = (torch.load(tmp_path / f / file)['message_hub']['runtime_info']
                       for f in ('whole', 'part'))
        for key in ('best_score', 'validated_iter', 'keep_ckpt_ids', 'early_stopping', 'epoch',
                    'iter'):
            assert part[key] == whole[key], (file, key)


def test_a_validation_is_not_repeated_without_need(tmp_path):
    runner(tmp_path, epochs=2).train()
    assert validations(resumed(tmp_path)) == [3, 4]


def test_the_last_checkpoint_is_named_by_a_training_that_was_killed_before_it_was(tmp_path):
    runner(tmp_path, epochs=2).train()
    last = tmp_path / 'last_checkpoint'
    last.write_text(str(tmp_path / 'epoch_1.pth'))  # which is gone
    assert validations(resumed(tmp_path, epochs=2)) == []
    assert last.read_text() == str(tmp_path / 'epoch_2.pth')


def test_a_best_checkpoint_that_is_lost_is_made_again(tmp_path):
    runner(tmp_path, epochs=4).train()
    (tmp_path / 'best_score_epoch_4.pth').unlink()
    assert validations(resumed(tmp_path)) == [4]
    assert names(tmp_path) == ['best_score_epoch_4.pth', 'epoch_4.pth']


def test_early_stopping_counts_on_after_an_interruption(tmp_path):
    whole = runner(tmp_path / 'whole', epochs=7, patience=2)
    assert validations(whole) == [1, 2, 3, 4, 5, 6, 7]  # equal scores are no decline
    SCORES[4:6] = [0.5, 0.4]
    try:
        assert validations(runner(tmp_path / 'again', epochs=7, patience=2)) == [1, 2, 3, 4, 5, 6]
        kill_at(runner(tmp_path / 'part', epochs=7, patience=2), 'before', 'epoch_6.pth')
        assert validations(resumed(tmp_path / 'part', epochs=7, patience=2)) == [5, 6]
    finally:
        SCORES[4:6] = [0.6, 0.6]


def test_a_validation_without_the_metric_is_not_the_best(tmp_path, monkeypatch, logged):
    monkeypatch.setitem(globals(), 'SCORES', [None, 0.5, None])
    training = runner(tmp_path, epochs=3)
    training.logger.warning = lambda text, *words: logged.append(text)
    training._hooks = [h for h in training.hooks if type(h).__name__ != 'EarlyStoppingHook']
    training.train()
    assert names(tmp_path) == ['best_score_epoch_2.pth', 'epoch_3.pth']
    assert [text for text in logged if "gave no 'score'" in text] == [
        f"the validation of iteration {step} gave no 'score' (save_best), and is not the best so "
        "far; it gave ['seen']" for step in (2, 6)]
