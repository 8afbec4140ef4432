"""Parameter groups equal the published rule, asked of the official names."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

import glip_mm.engine  # noqa: F401
import glip_mm.models  # noqa: F401
from glip_mm.checkpoints.official_names import official_table
from glip_mm.engine.optim.parameter_groups import (
    format_table,
    multipliers,
    table_rows,
    why_frozen,
)
from glip_mm.registry import MODELS
from tests.test_models.nano import build_nano, write_tiny_bert

ROOT = Path(__file__).parents[2]
BASE_LR, LANG_LR, DECAY = 1e-4, 1e-5, 1e-4
INITIALISERS = ('xavier_uniform_', 'kaiming_uniform_', 'kaiming_normal_', 'normal_',
                'trunc_normal_', 'uniform_', 'constant_', 'zeros_', 'ones_')


def published(name):
    """The rule as the released code applies it to its own names."""
    lr, decay = BASE_LR, DECAY
    if 'language_backbone' in name:
        lr = LANG_LR
    if 'bias' in name:
        lr, decay = 2 * lr, 0.0
    return lr, decay


@pytest.fixture(scope='module')
def glip_t():
    """GLIP-T without values, with the wrapper config of its training."""
    config = Config.fromfile(ROOT / 'configs/glip/glip_swin-t_o365-goldg.py')
    with DefaultScope.overwrite_default_scope('glip_mm'), \
            pytest.MonkeyPatch.context() as patch:
        for name in INITIALISERS:
            patch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)
        model = MODELS.build(config.model)
    return model, config.optim_wrapper


def build(model, config, **changes):
    config = {**config, 'type': 'OptimWrapper', **changes}
    config.pop('dtype', None)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return build_optim_wrapper(model, config).optimizer


def settings(model, optimizer):
    found = {id(p): (g['lr'], g['weight_decay']) for g in optimizer.param_groups
             for p in g['params']}
    return {name: found[id(p)] for name, p in model.named_parameters() if p.requires_grad}


def test_every_tensor_of_glip_t_is_trained_as_published(glip_t):
    model, config = glip_t
    optimizer = build(model, config)
    table = official_table(fused=True)
    ours = settings(model, optimizer)
    official = {table.to_theirs(name)[0]: value for name, value in ours.items()}
    stored = json.loads((ROOT / 'tests/data/golden/glip_t/keys.json').read_text())['keys']
    frozen = ('cls_logits', 'cell_anchors', 'relative_position_index', 'position_ids', 'mlm_head')
    assert set(official) == {k for k in stored if not any(part in k for part in frozen)}
    for name, (lr, decay) in official.items():
        assert (lr, decay) == pytest.approx(published(name)), name
    assert len(optimizer.param_groups) == 4
    assert sum(len(g['params']) for g in optimizer.param_groups) == len(ours)


@pytest.mark.parametrize('name, lr, decay', [
    ('backbone.stages.0.blocks.0.attn.w_msa.relative_position_bias_table', 2, 0),
    ('backbone.stages.0.blocks.0.norm1.weight', 1, 1),
    ('bbox_head.bias_lang', 2, 0),
    ('bbox_head.bias0', 2, 0),
    ('bbox_head.log_scale', 1, 1),
    ('language_model.encoder.encoder.layer.0.output.dense.weight', 0.1, 1),
    ('language_model.encoder.encoder.layer.0.output.dense.bias', 0.2, 0),
    ('language_model._fsdp_wrapped_module.encoder.encoder.layer.0.output.dense.weight', 0.1, 1),
    ('fusion_neck.layers.0.text.query.weight', 1, 1),
    ('fusion_neck.layers.0.conv.branches.0.norm.bias', 2, 0),
    ('neck.lateral_convs.0.conv.weight', 1, 1),
])
def test_rule_in_our_names(name, lr, decay):
    assert multipliers(name) == pytest.approx((lr, decay))


@pytest.fixture
def nano(tmp_path):
    return build_nano(write_tiny_bert(tmp_path / 'bert'))


WRAPPER = dict(constructor='GLIPOptimWrapperConstructor',
               optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1))


def test_settings_multiply_the_rule(nano):
    optimizer = build(nano, WRAPPER, paramwise_cfg=dict(
        language_lr_mult=0.5, backbone_lr_mult=0.2, bias_lr_mult=1.0, bias_decay_mult=1.0,
        custom_keys={'text': dict(lr_mult=10.), 'text_projection': dict(decay_mult=0.)}))
    found = settings(nano, optimizer)
    assert found['backbone.conv1.weight'] == pytest.approx((2e-4, 0.1))
    assert found['bbox_head.bbox_pred.bias'] == pytest.approx((1e-3, 0.1))
    assert found['fusion_neck.layers.0.text.query.weight'] == pytest.approx((1e-2, 0.1))
    assert found['bbox_head.text_projection.weight'] == pytest.approx((1e-3, 0.))
    word = 'language_model.encoder.embeddings.word_embeddings.weight'
    assert found[word] == pytest.approx((5e-4, 0.1))


def test_table_counts_everything_once_and_says_why_not(nano):
    nano.language_model.frozen = True
    nano.language_model.requires_grad_(False)
    nano.backbone.frozen_stages = 1
    nano.backbone.conv1.requires_grad_(False)
    nano.bbox_head.bias0.requires_grad_(False)
    optimizer = build(nano, WRAPPER)
    rows = table_rows(nano, optimizer)
    assert sum(r.tensors for r in rows) == len(list(nano.parameters()))
    assert sum(r.parameters for r in rows) == sum(p.numel() for p in nano.parameters())
    reasons = {(r.module, r.trainable) for r in rows if r.trainable != 'yes'}
    assert reasons == {('language_model', 'language_model.frozen=True'),
                       ('backbone', 'backbone.frozen_stages=1'),
                       ('bbox_head', 'requires_grad=False')}
    text = format_table(rows)
    assert 'weight decay' in text and 'language_model.frozen=True' in text
    assert f'{sum(p.numel() for p in nano.parameters()):,}' in text.splitlines()[-1]


def test_table_is_logged_at_start(nano):
    from mmengine.logging import MMLogger
    logger = MMLogger.get_instance('table', logger_name='table')
    messages = []
    logger.addFilter(lambda record: messages.append(record.getMessage()) or True)
    build(nano, WRAPPER)
    assert any('trainable' in m and 'fusion_neck' in m for m in messages)


def test_a_trainable_tensor_that_no_group_has_is_shown(nano):
    optimizer = torch.optim.AdamW(nano.neck.parameters())
    assert 'not in the optimizer' in {r.trainable for r in table_rows(nano, optimizer)}


@pytest.mark.parametrize('changes, message', [
    (dict(paramwise_cfg=dict(norm_decay_mult=0.)), 'norm_decay_mult'),
    (dict(paramwise_cfg=dict(custom_keys=dict(neck=dict(lr=1.)))), r"custom_keys\['neck'\]"),
    (dict(optimizer=dict(type='AdamW', lr=1e-3)), 'weight_decay is missing'),
])
def test_wrong_settings_are_named(nano, changes, message):
    with pytest.raises(ValueError, match=message):
        build(nano, WRAPPER, **changes)


def test_nothing_to_train_is_an_error():
    with pytest.raises(ValueError, match='no trainable parameter'):
        build(nn.Linear(2, 2).requires_grad_(False), WRAPPER)


def test_innermost_setting_that_is_outermost_last():
    model = nn.Module()
    model.part = nn.Linear(1, 1)
    assert why_frozen(model, 'part.weight') == 'requires_grad=False'
    model.part.frozen = True
    assert why_frozen(model, 'part.weight') == 'part.frozen=True'
