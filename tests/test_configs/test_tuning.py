"""Presets of configs/_base_/tuning combine with any GLIP config and give the stated rates."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

import glip_mm.engine  # noqa: F401
from glip_mm.models.tuning import MODES
from tests.test_models.nano import build_nano, write_tiny_bert

CONFIGS = Path(__file__).parents[2] / 'configs'
PUBLISHED = dict(full=(1e-4, 0.05), linear=(1e-4, 0.05), language=(1e-5, 0.05),
                 prompt=(0.05, 0.25))


def combined(folder, mode, base):
    path = folder / f'{mode}.py'
    path.write_text(f"_base_ = ['{CONFIGS / base}', '{CONFIGS}/_base_/tuning/{mode}.py']\n"
                    'model = dict(tuning={{_base_.tuning}})\n'
                    'optim_wrapper = {{_base_.tuning_optim_wrapper}}\n')
    return Config.fromfile(path)


@pytest.fixture(scope='module')
def bert(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp('bert') / 'tiny')


def test_there_is_a_preset_for_each_mode():
    assert {path.stem for path in (CONFIGS / '_base_/tuning').glob('*.py')} == set(MODES)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('base', ['glip/glip_swin-t-a_o365.py', '_base_/schedules/adamw.py'])
def test_presets_combine_and_set_the_rates(tmp_path, bert, mode, base):
    if mode == 'lora':
        pytest.importorskip('peft')
    config = combined(tmp_path, mode, base)
    model = build_nano(bert, tuning=config.model.tuning)
    wrapper = {**config.optim_wrapper, 'type': 'OptimWrapper'}
    wrapper.pop('dtype', None)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        optimizer = build_optim_wrapper(model, wrapper).optimizer
    rates = {(round(g['lr'], 12), g['weight_decay']) for g in optimizer.param_groups}
    if mode in PUBLISHED:
        assert PUBLISHED[mode] in rates
    if mode == 'linear_prompt':
        assert rates == {(0.05, 0.25), (1e-4, 0.05), (2e-4, 0.0)}
    if mode == 'linear_language':
        assert rates == {(1e-5, 0.05), (2e-5, 0.0), (1e-4, 0.05), (2e-4, 0.0)}


def test_no_bias_decays_in_the_plain_schedule(bert):
    config = Config.fromfile(CONFIGS / '_base_/schedules/adamw.py')
    model = build_nano(bert)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    decay = {id(p): (g['lr'], g['weight_decay']) for g in optimizer.param_groups
             for p in g['params']}
    wanted = {name: (1e-5 if name.startswith('language_model') else 1e-4,
                     0 if 'bias' in name else 1e-4)
              for name, p in model.named_parameters() if p.requires_grad}
    assert {name: tuple(round(v, 12) for v in decay[id(p)])
            for name, p in model.named_parameters() if p.requires_grad} == wanted
