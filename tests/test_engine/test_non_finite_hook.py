"""Steps with losses or gradients that are not finite are named, left out, counted, or the end."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

import glip_mm.engine  # noqa: F401
from glip_mm.compat import distribute_without_gpu
from glip_mm.registry import DATASETS, MODELS, RUNNERS
from tests.two_processes import in_two_processes


class Overflow(torch.autograd.Function):
    """Zeros whose gradient is not finite."""

    @staticmethod
    def forward(ctx, weight):
        return weight * 0

    @staticmethod
    def backward(ctx, grad):
        return grad * float('inf')


@MODELS.register_module()
class FragileModel(BaseModel):
    """Samples say what goes wrong in them."""

    def __init__(self, norm=False):
        super().__init__()
        self.first = nn.Linear(1, 4)
        self.norm = nn.BatchNorm1d(4) if norm else nn.Identity()
        self.second = nn.Linear(4, 1)

    def forward(self, inputs, data_samples, mode='loss'):
        faults = [s.fault for s in data_samples]
        x = torch.stack(inputs)
        if 'image' in faults:
            x = x * float('nan')
        x = self.norm(self.first(x))
        if 'gradient' in faults:
            x = x + Overflow.apply(self.first.weight)[0]
        y = self.second(x)
        box = y.square().mean() * (float('inf') if 'box' in faults else 1.)
        if 'constant' in faults:
            box = box + float('inf')  # no gradient shows it
        return dict(loss_cls=y.abs().mean(), loss_bbox=box, accuracy=torch.tensor(0.5))


@DATASETS.register_module()
class FragileData(Dataset):
    metainfo = {}

    def __init__(self, faults, length=12):
        self.faults, self.length = faults, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        meta = dict(img_path=f'{index}.jpg', fault=self.faults.get(index))
        return dict(inputs=torch.tensor([1. + index]), data_samples=BaseDataElement(metainfo=meta))


def config(folder, faults, policy='skip', norm=False, wrapper=None, launcher='none', **options):
    return Config(dict(
        model=dict(type='FragileModel', norm=norm), work_dir=str(folder), launcher=launcher,
        default_scope='glip_mm', experiment_name=Path(folder).name, randomness=dict(seed=0),
        train_dataloader=dict(
            batch_size=2, num_workers=0, collate_fn=dict(type='pseudo_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='FragileData', faults=faults)),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01),
                           clip_grad=dict(max_norm=1.), **(wrapper or {})),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='NonFiniteHook', policy=policy, max_in_a_row=3)], **options))


def train(cfg):
    """Runner and the weights after every iteration."""
    runner = Runner.from_cfg(cfg)
    weights = []
    original = runner.call_hook

    def watch(hook, **arguments):
        original(hook, **arguments)
        if hook == 'after_train_iter':
            weights.append(torch.cat([p.detach().flatten() for p in runner.model.parameters()]))
    runner.call_hook = watch
    error = None
    try:
        runner.train()
    except FloatingPointError as caught:
        error = str(caught)
    return runner, weights, error


def log(folder):
    return next(Path(folder).glob('*/*.log')).read_text()


@pytest.mark.parametrize('fault, what', [
    ('box', 'loss_bbox (inf) of the losses'),
    ('image', 'loss_cls (nan), loss_bbox (nan) of the losses'),
    ('gradient', 'the gradient of first.weight')])
@pytest.mark.parametrize('wrapper', [None, dict(type='AutoAmpOptimWrapper')])
def test_a_bad_step_is_left_out_and_named(fault, what, wrapper, tmp_path):
    runner, weights, error = train(config(tmp_path, {5: fault}, wrapper=wrapper))
    assert error is None and len(weights) == 6
    moved = [not torch.equal(a, b) for a, b in zip(weights, weights[1:])]
    assert moved == [True, False, True, True, True]  # samples 4 and 5 are iteration 3
    assert torch.isfinite(weights[-1]).all()
    text = log(tmp_path)
    assert f'iteration 3: {what} is not finite, for 4.jpg, 5.jpg; the step is left out, 1' in text
    assert 'nan' not in text.split('the step is left out')[1]  # averages stay readable
    saved = torch.load(tmp_path / 'epoch_1.pth')['message_hub']['runtime_info']
    assert saved['skipped_steps'] == 1


def test_it_stops_with_untouched_weights(tmp_path):
    runner, weights, error = train(config(tmp_path, {5: 'box'}, 'stop'))
    assert 'iteration 3: loss_bbox (inf) of the losses is not finite, for 4.jpg, 5.jpg' in error
    now = torch.cat([p.detach().flatten() for p in runner.model.parameters()])
    assert torch.equal(now, weights[1])


def test_too_many_in_a_row_are_the_end(tmp_path):
    faults = {1: 'box', 3: 'box', 7: 'box', 9: 'box', 11: 'box'}
    _, weights, error = train(config(tmp_path, faults))
    assert len(weights) == 5 and 'iteration 6' in error and '3 steps in a row' in error


def test_skipping_does_not_mend_a_broken_buffer(tmp_path):
    _, _, error = train(config(tmp_path, {5: 'image'}, norm=True))
    assert "buffer 'norm.running_mean' is not finite, which no skipped step mends" in error


def test_accumulated_gradients_are_dropped_together(tmp_path):
    _, weights, error = train(config(tmp_path, {2: 'box'}, wrapper=dict(accumulative_counts=3)))
    assert error is None
    moved = [not torch.equal(a, b) for a, b in zip(weights, weights[1:])]
    assert moved == [False, False, False, False, True]
    assert 'iteration 3: loss_bbox (inf) of the losses is not finite, for 0.jpg, 1.jpg, 2.jpg' \
        in log(tmp_path)


def test_nothing_changes_where_all_is_finite(tmp_path):
    _, weights, _ = train(config(tmp_path / 'with', {}))
    cfg = config(tmp_path / 'without', {})
    cfg.custom_hooks = []
    _, plain, _ = train(cfg)
    assert all(torch.equal(a, b) for a, b in zip(weights, plain))


def test_the_count_goes_on_after_resuming(tmp_path):
    train(config(tmp_path, {5: 'box'}))
    cfg = config(tmp_path, {7: 'box'}, resume=True)
    cfg.train_cfg.max_epochs = 2
    runner, _, _ = train(cfg)
    assert runner.message_hub.get_info('skipped_steps') == 2


def work(rank, folder, fault, policy, accumulate):
    cfg = config(folder / 'run', {3: fault}, policy, launcher='pytorch',
                 wrapper=dict(accumulative_counts=accumulate))
    distribute_without_gpu(cfg)
    _, weights, error = train(cfg)
    torch.save((weights, error), folder / f'{rank}.pth')


@pytest.mark.parametrize('fault, policy, accumulate', [
    ('constant', 'skip', 2), ('gradient', 'skip', 1), ('constant', 'stop', 1)])
def test_two_processes_decide_the_same(fault, policy, accumulate, tmp_path):
    """Sample 3 belongs to process 1, in its first batch."""
    in_two_processes(work, tmp_path, fault, policy, accumulate)
    (weights, error), (others, other_error) = (torch.load(tmp_path / f'{r}.pth') for r in range(2))
    assert error == other_error and len(weights) == len(others)
    assert all(torch.equal(a, b) for a, b in zip(weights, others))
    text = error or log(tmp_path / 'run')
    if fault == 'constant':
        assert 'loss_bbox (inf) of the losses is not finite on process 1, for 1.jpg, 3.jpg' in text
    else:
        assert 'the gradient of first.weight is not finite on process 0, for 0.jpg, 2.jpg' in text
    assert (error is not None) == (policy == 'stop')
    if policy == 'skip':
        assert torch.isfinite(weights[-1]).all() and not torch.equal(weights[0], weights[-1])


def test_policies_are_named():
    from glip_mm.engine import NonFiniteHook
    with pytest.raises(ValueError, match="'skip' or 'stop', got 'ignore'"):
        NonFiniteHook('ignore')


@pytest.mark.skipif(torch.__version__ < '2.7', reason='see test_models/test_compile.py')
@pytest.mark.parametrize('watched', [True, False])
def test_a_compiled_step_is_watched_as_well(tmp_path, watched):
    """Dynamo fails in the step of AdamW, which is left out of what is compiled."""
    def weights(name, **options):
        settings = config(tmp_path / name, {5: 'gradient'} if watched else {},
                          runner_type='ScreenRunner', **options)
        settings.optim_wrapper.optimizer.weight_decay = 0.1
        settings.optim_wrapper.constructor = 'GLIPOptimWrapperConstructor'
        if not watched:
            settings.custom_hooks = []
        runner = RUNNERS.build(settings)
        runner.train()
        return runner.model.state_dict()
    wanted, found = weights('plain'), weights('compiled', compile=dict(backend='eager'))
    assert all(torch.allclose(found[key], value, atol=1e-6) for key, value in wanted.items())
