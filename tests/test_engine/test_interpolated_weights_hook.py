"""A training leaves weights between its start and its end."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner

from glip_mm.engine.hooks import InterpolatedWeightsHook
from glip_mm.registry import HOOKS


class Toy(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='loss'):
        return dict(loss=self.layer(torch.stack(inputs)).square().mean())


def train(tmp_path, hook, name):
    runner = Runner(
        Toy(), str(tmp_path / 'run'), experiment_name=name,
        train_dataloader=dict(dataset=[dict(inputs=torch.ones(1))] * 4, batch_size=2,
                              sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        load_from=hook.base, custom_hooks=[hook], cfg=Config(dict(model='toy')))
    runner.train()


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']['layer.weight'].item()


def test_half_way_between_the_start_and_the_last_checkpoint(tmp_path):
    base = tmp_path / 'base.pth'
    torch.save(dict(state_dict=Toy().state_dict()), base)
    train(tmp_path, InterpolatedWeightsHook(str(base), alphas=(0, 0.5, 1)), 'half_way')
    run = tmp_path / 'run'
    before, after = weights(base), weights(run / 'interpolated_1.pth')
    # of the checkpoint, MMEngine keeps more than weights in it
    state = torch.load(run / 'interpolated_0.5.pth', weights_only=True)
    assert state['meta']['alpha'] == 0.5 and 'toy' in state['meta']['cfg']
    assert weights(run / 'interpolated_0.pth') == before != after
    assert weights(run / 'interpolated_0.5.pth') == pytest.approx((before + after) / 2)


def test_the_best_checkpoint_where_there_is_one(tmp_path):
    for name, value in (('base', 0.), ('best', 1.), ('epoch_9', 5.)):
        torch.save(dict(state_dict={'layer.weight': torch.tensor([value])}),
                   tmp_path / f'{name}.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_9.pth'))
    runner = SimpleNamespace(work_dir=str(tmp_path), cfg=Config(), message_hub=MessageHub('best'),
                             logger=MMLogger.get_instance('interpolated'))
    hook = InterpolatedWeightsHook(str(tmp_path / 'base.pth'))
    hook.after_train(runner)
    assert weights(tmp_path / 'interpolated_0.5.pth') == 2.5
    runner.message_hub.update_info('best_ckpt', str(tmp_path / 'best.pth'))
    hook.after_train(runner)
    assert weights(tmp_path / 'interpolated_0.5.pth') == 0.5


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(ValueError, match='base is the checkpoint before tuning'):
        InterpolatedWeightsHook(None)
    with pytest.raises(ValueError, match='alphas is empty'):
        InterpolatedWeightsHook('a.pth', ())
    base = tmp_path / 'base.pth'
    torch.save(dict(state_dict={'layer.weight': torch.ones(1)}), base)
    runner = SimpleNamespace(work_dir=str(tmp_path), message_hub=MessageHub('none_kept'))
    with pytest.raises(ValueError, match='needs a checkpoint of the training'):
        InterpolatedWeightsHook(str(base)).after_train(runner)


def test_it_is_registered():
    assert HOOKS.get('InterpolatedWeightsHook') is InterpolatedWeightsHook
