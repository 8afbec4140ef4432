"""The pre-training configs say what was published, each fact in one place."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

import glip_mm.engine  # noqa: F401
import glip_mm.models  # noqa: F401
from glip_mm.registry import (
    HOOKS,
    LOOPS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    PARAM_SCHEDULERS,
    STRATEGIES,
)

ROOT = Path(__file__).parents[2] / 'configs'
O365, GOLDG = ['o365'], ['flickr30k', 'mixed_no_coco']
# data, copies of each in an epoch, devices for a batch of 64
PRESETS = {
    'glip_swin-t-a_o365': (O365, None, 8),
    'glip_swin-t_o365': (O365, None, 8),
    'glip_swin-t_o365-goldg': (O365 + GOLDG, None, 8),
    'glip_swin-t_o365-goldg-cc3m-sbu': (O365 + GOLDG + ['cc3m', 'sbu'], None, 8),
    'glip_swin-l_mixed': (O365 + ['openimages', 'visual_genome', 'imagenet_boxes'] + GOLDG
                          + ['cap24m'], [2, 1, 3, 2, 8, 4, 1], 64)}


def load(name):
    return Config.fromfile(ROOT / f'glip/{name}.py')


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('glip_mm'):
        yield


@pytest.mark.parametrize('name', PRESETS)
def test_data_as_published(name):
    config, (data, copies, devices) = load(name), PRESETS[name]
    stream = config.train_dataloader.dataset
    assert stream.type == 'glip_mm.GroundingStream'
    assert [dict(d) for d in stream.datasets] == [dict(config[source]) for source in data]
    assert stream.get('copies') == copies
    assert config.train_dataloader.batch_size * devices == 64
    assert config.auto_scale_lr == dict(enable=False, base_batch_size=64)


@pytest.mark.parametrize('name', PRESETS)
def test_recipe_as_published(name):
    config, large = load(name), 'swin-l' in name
    wrapper = config.optim_wrapper
    assert wrapper.optimizer == dict(type='AdamW', lr=1e-4, weight_decay=0.01 if large else 1e-4)
    assert wrapper.paramwise_cfg.language_lr_mult * wrapper.optimizer.lr == pytest.approx(1e-5)
    assert wrapper.clip_grad == dict(max_norm=1.0, norm_type=2)
    if large:
        assert config.train_cfg.max_iters == 1_000_000
    else:
        assert config.train_cfg.max_epochs == 30
    averaged = [h.momentum for h in config.custom_hooks if h.type == 'glip_mm.AveragedWeightsHook']
    assert averaged == ([] if large else [0.001])
    assert not config.get('find_unused_parameters', False)
    model = config.model
    assert model.backbone.get('frozen_stages', -1) == (1 if large else -1)
    assert model.backbone.drop_path_rate == (0.4 if large else 0.2)
    assert model.neck.type == 'glip_mm.FPNDropBlock'
    assert (model.neck.drop_prob, model.neck.drop_size) == (0.3, 3)
    assert model.fusion_neck.num_layers == (8 if large else 6)
    assert model.fusion_neck.get('fuse', True) == ('-a_' not in name)


@pytest.mark.parametrize('path', sorted(
    str(p.relative_to(ROOT)) for p in ROOT.glob('glip/*.py')))
def test_every_part_of_the_engine_exists(path):
    config = Config.fromfile(ROOT / path)
    assert OPTIM_WRAPPERS.get(config.optim_wrapper.type) or 'deepspeed' in path
    assert OPTIM_WRAPPER_CONSTRUCTORS.get(config.optim_wrapper.constructor)
    for scheduler in config.param_scheduler:
        assert PARAM_SCHEDULERS.get(scheduler.type), scheduler.type
    for hook in [*config.custom_hooks, *config.default_hooks.values()]:
        assert HOOKS.get(hook.type), hook.type
    assert LOOPS.get(config.train_cfg.type), config.train_cfg.type


def test_fsdp_differs_by_its_strategy_alone():
    plain, sharded = load('glip_swin-l_mixed'), load('glip_swin-l_mixed_fsdp')
    assert STRATEGIES.get(sharded.strategy.type)
    assert sharded.optim_wrapper.pop('use_fsdp')
    assert sharded.pop('runner_type') == 'glip_mm.ScreenFlexibleRunner'
    sharded.pop('strategy')
    assert sharded.to_dict() == plain.to_dict()


def test_deepspeed_keeps_groups_rates_and_clipping():
    plain, sharded = load('glip_swin-l_mixed'), load('glip_swin-l_mixed_deepspeed')
    for key in ('optimizer', 'paramwise_cfg', 'constructor'):
        assert sharded.optim_wrapper[key] == plain.optim_wrapper[key]
    assert sharded.strategy.gradient_clipping == plain.optim_wrapper.clip_grad.max_norm
    assert sharded.strategy.zero_optimization.stage == 2
    assert STRATEGIES.get(sharded.strategy.type)
    assert sharded.runner_type == 'glip_mm.ScreenFlexibleRunner'
