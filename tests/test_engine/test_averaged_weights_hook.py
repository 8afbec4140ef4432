"""The averaged weights are what is evaluated, chosen and saved; the raw ones go on training."""

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import glip_mm.engine  # noqa: F401
from glip_mm.registry import DATASETS, METRICS, MODELS

MOMENTUM, EPOCHS = 0.25, 4


@DATASETS.register_module(force=True)
class FourNumbers(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(x=torch.tensor([float(index + 1)]))


@MODELS.register_module(force=True)
class Slope(BaseModel):

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor([3.0]))

    def forward(self, x, mode='tensor'):
        if mode == 'loss':
            return dict(loss=(self.slope * x).square().mean())
        return [self.slope.detach().clone()]


@METRICS.register_module(force=True)
class SeenSlope(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results += [s.item() for s in data_samples]

    def compute_metrics(self, results):
        return dict(slope=results[-1])


def loader():
    return dict(batch_size=4, num_workers=0, dataset=dict(type='FourNumbers'),
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='default_collate'))


def runner(folder, epochs=EPOCHS, hook='AveragedWeightsHook', **settings):
    Runner._instances = {}
    return Runner(
        model=dict(type='Slope'), work_dir=str(folder), default_scope='glip_mm',
        train_dataloader=loader(), val_dataloader=loader(), test_dataloader=loader(),
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1), val_cfg=dict(),
        test_cfg=dict(), val_evaluator=dict(type='SeenSlope'),
        test_evaluator=dict(type='SeenSlope'),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1,
                                           save_best='slope', rule='less')),
        custom_hooks=[dict(type=hook, momentum=MOMENTUM)], experiment_name=str(folder),
        **settings)


def expected(epochs=EPOCHS, start=3.0):
    """Raw and averaged slope after each epoch, by hand."""
    raw = average = start
    curve = []
    for _ in range(epochs):
        raw -= 0.01 * 2 * 7.5 * raw  # mean of 1, 4, 9, 16
        average = (1 - MOMENTUM) * average + MOMENTUM * raw
        curve.append((raw, average))
    return curve


def slopes(checkpoint):
    return (checkpoint['ema_state_dict']['module.slope'].item(),
            checkpoint['state_dict']['slope'].item())


def test_evaluation_and_checkpoints_use_the_average(tmp_path):
    train = runner(tmp_path)
    seen = []
    original = train.call_hook

    def watch(name, **kwargs):
        if name == 'after_val_epoch':
            seen.append(kwargs['metrics']['slope'])
        original(name, **kwargs)
    train.call_hook = watch
    train.train()
    for i, (raw, average) in enumerate(expected()):
        saved = torch.load(tmp_path / f'epoch_{i + 1}.pth', weights_only=False)
        assert slopes(saved) == pytest.approx((raw, average), rel=1e-5)
        assert seen[i] == pytest.approx(average, rel=1e-5)
    assert train.model.slope.item() == pytest.approx(expected()[-1][0], rel=1e-5)
    best = torch.load(next(tmp_path.glob('best_*.pth')), weights_only=False)
    assert best['state_dict']['slope'].item() == pytest.approx(min(seen), rel=1e-6)


def test_resuming_equals_an_unbroken_run(tmp_path):
    runner(tmp_path / 'whole').train()
    runner(tmp_path / 'part', epochs=2).train()
    runner(tmp_path / 'part', resume=True).train()
    whole, part = (torch.load(tmp_path / name / 'epoch_4.pth', weights_only=False)
                   for name in ('whole', 'part'))
    assert slopes(whole) == slopes(part)
    assert whole['ema_state_dict']['steps'] == part['ema_state_dict']['steps']


@pytest.mark.parametrize('wrap', [lambda s: s, lambda s: dict(state_dict=s)])
def test_training_starts_from_any_file(tmp_path, wrap):
    torch.save(wrap(dict(slope=torch.tensor([5.0]))), tmp_path / 'start.pth')
    runner(tmp_path, load_from=str(tmp_path / 'start.pth')).train()
    saved = torch.load(tmp_path / 'epoch_4.pth', weights_only=False)
    assert slopes(saved) == pytest.approx(expected(start=5.0)[-1], rel=1e-5)


def test_emahook_itself_refuses_a_bare_file(tmp_path):
    torch.save(dict(slope=torch.tensor([5.0])), tmp_path / 'start.pth')
    with pytest.raises(KeyError, match='state_dict'):
        runner(tmp_path, hook='EMAHook', load_from=str(tmp_path / 'start.pth')).train()


def test_testing_uses_what_was_loaded(tmp_path):
    runner(tmp_path).train()
    average = expected()[-1][1]
    tested = runner(tmp_path / 'test', load_from=str(tmp_path / 'epoch_4.pth')).test()
    assert tested['slope'] == pytest.approx(average, rel=1e-5)
    torch.save(dict(slope=torch.tensor([5.0])), tmp_path / 'bare.pth')
    assert runner(tmp_path / 'test', load_from=str(tmp_path / 'bare.pth')).test()['slope'] == 5.0


def test_testing_after_training_in_one_process_uses_the_average(tmp_path):
    train = runner(tmp_path)
    train.train()
    assert train.test()['slope'] == pytest.approx(expected()[-1][1], rel=1e-5)


def test_resuming_a_run_that_had_no_average(tmp_path):
    plain = runner(tmp_path, epochs=2)
    plain._hooks = [h for h in plain._hooks if type(h).__name__ != 'AveragedWeightsHook']
    plain.train()
    runner(tmp_path, epochs=3, resume=True).train()
    saved = torch.load(tmp_path / 'epoch_3.pth', weights_only=False)
    before, raw = expected()[1][0], expected()[2][0]
    assert slopes(saved) == pytest.approx(
        (raw, (1 - MOMENTUM) * before + MOMENTUM * raw), rel=1e-5)


def test_flexible_runner_trains_and_resumes(tmp_path):
    from mmengine.runner import FlexibleRunner

    def flexible(folder, epochs=EPOCHS, resume=False):
        with DefaultScope.overwrite_default_scope('glip_mm'):
            return FlexibleRunner(
                model=dict(type='Slope'), work_dir=str(folder), default_scope='glip_mm',
                train_dataloader=loader(), train_cfg=dict(by_epoch=True, max_epochs=epochs),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
                strategy=dict(type='SingleDeviceStrategy'), resume=resume,
                custom_hooks=[dict(type='AveragedWeightsHook', momentum=MOMENTUM)],
                experiment_name=f'{folder}{epochs}{resume}')
    flexible(tmp_path, epochs=2).train()
    flexible(tmp_path, resume=True).train()
    saved = torch.load(tmp_path / 'epoch_4.pth', weights_only=False)
    assert slopes(saved) == pytest.approx(expected()[-1], rel=1e-5)


def test_sharded_weights_are_refused(tmp_path):
    class FullyShardedDataParallel(Slope):
        """Stands for torch's: the hook knows it by its name."""

    train = runner(tmp_path)
    train.model = FullyShardedDataParallel()
    with pytest.raises(ValueError, match='sharded by FullyShardedDataParallel: leave it out'):
        train.train()
