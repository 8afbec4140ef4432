"""Each mode changes exactly what it says, and nothing else by a single bit."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from glip_mm.models.tuning import MODES, Mode, Tuning, part_rows
from glip_mm.models.tuning.modes import PROMPT_OPTIONS
from glip_mm.models.tuning.parts import part_of
from tests.test_models.nano import build_nano, data_sample, image, predict

from .training import TEXT, built, changed, loss_of, optimizer_of, snapshot, train

PROBE = {f'bbox_head.{name}' for name in (
    'bbox_pred.weight', 'bbox_pred.bias', 'centerness.weight', 'centerness.bias',
    'text_projection.weight', 'text_projection.bias', 'log_scale', 'bias_lang', 'bias0')}
FROZEN_MODES = ['head', 'linear', 'language', 'prompt', 'linear_language', 'linear_prompt']


def expected(model, mode):
    """What a mode trains, from the published table."""
    names = {name for name, _ in model.named_parameters()}
    language = {name for name in names if name.startswith('language_model.')}
    offset = {'prompt_table.weight'}
    return dict(head={n for n in names if n.startswith(('fusion_neck.', 'bbox_head.'))},
                linear=PROBE, language=language, prompt=offset,
                linear_language=PROBE | language, linear_prompt=PROBE | offset)[mode]


@pytest.mark.parametrize('fuse', [True, False])
@pytest.mark.parametrize('mode', FROZEN_MODES)
def test_exactly_what_is_stated_learns(tiny_bert, mode, fuse):
    model = built(tiny_bert, mode, fuse=fuse)
    wanted = expected(model, mode)
    before = snapshot(model)
    loss_of(model).backward()
    assert {n for n, p in model.named_parameters() if p.requires_grad} == wanted
    assert {n for n, p in model.named_parameters() if p.grad is not None} == wanted
    train(model)
    stored = {'prompt_table.prompt'} if 'prompt' in mode else set()
    found = changed(model, before)
    assert found - wanted <= stored  # buffers, batch statistics among them, included
    # attention ignores a bias that all keys share
    assert all('key.bias' in name for name in wanted - found)


@pytest.mark.parametrize('fuse', [True, False])
@pytest.mark.parametrize('mode', MODES)
def test_the_loss_falls(tiny_bert, mode, fuse):
    if mode == 'lora':
        pytest.importorskip('peft')
    model = built(tiny_bert, mode, fuse=fuse)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    losses = train(model, steps=6, lr=0.05 if mode == 'prompt' else 3e-3)
    assert losses[-1] < losses[0]


def test_full_trains_everything_and_leaves_parts_to_their_configs(tiny_bert):
    model = built(tiny_bert, 'full')
    assert all(p.requires_grad for p in model.parameters())
    assert all(module.training for module in model.modules()
               if not isinstance(module, nn.BatchNorm2d))
    backbone = dict(type='ResNet', depth=18, base_channels=4, out_indices=(1, 2, 3),
                    frozen_stages=1)
    model = built(tiny_bert, 'full', backbone=backbone)
    assert not any(p.requires_grad for p in model.backbone.layer1.parameters())


EVALUATED = dict(
    head={'backbone', 'neck', 'language_model'}, linear={'backbone', 'neck', 'language_model'},
    language={'backbone', 'neck', 'fusion_neck', 'bbox_head'},
    prompt={'backbone', 'neck', 'fusion_neck', 'bbox_head', 'language_model'})


@pytest.mark.parametrize('mode', EVALUATED)
def test_frozen_parts_stay_in_evaluation_mode(tiny_bert, mode):
    model = built(tiny_bert, mode)
    for _ in range(2):  # the epochs of a runner
        model.eval()
        assert not any(module.training for module in model.modules())
        model.train()
        for part in EVALUATED['prompt']:
            modes = {module.training for module in getattr(model, part).modules()}
            assert modes == {part not in EVALUATED[mode]}, part


def test_strict_official_trains_what_the_published_code_did(tiny_bert):
    for mode, really in (('linear_language', 'language'), ('linear_prompt', 'prompt')):
        model = built(tiny_bert, dict(type=mode, strict_official=True))
        assert ({n for n, p in model.named_parameters() if p.requires_grad}
                == expected(model, really))


def test_language_mode_wakes_a_language_model_whose_config_froze_it(tiny_bert):
    model = build_nano(tiny_bert)
    model.language_model.encoder.requires_grad_(False)
    model.language_model.frozen = True
    model.fusion_neck.requires_grad_(True)
    Tuning('language').apply(model)
    model.train()
    before = snapshot(model)
    train(model)
    assert any('language_model' in name for name in changed(model, before))


def test_prompt_tuning_needs_no_language_model_after_the_first_look(tiny_bert):
    model = built(tiny_bert, 'prompt')
    train(model, steps=1)

    def forbidden(*args, **kwargs):
        raise AssertionError('the language model was called')

    model.language_model.encoder.forward = forbidden
    train(model, steps=2)
    model.eval()
    predict(model, [image(0)], [data_sample(TEXT)])
    model.train()
    train(model, steps=1)


def test_other_modes_do_not_hide_a_change_of_the_language_model(tiny_bert):
    """The counterpart: a learning language model is asked anew in each step."""
    model = built(tiny_bert, 'language')
    train(model, steps=1)
    model.language_model.encoder.forward = None
    with pytest.raises(TypeError):
        train(model, steps=1)


def test_prompt_mode_refuses_masked_words(tiny_bert):
    with pytest.raises(ValueError, match='model.mlm_head masks its words'):
        build_nano(tiny_bert, tuning='prompt', mlm_head={})


@pytest.mark.parametrize('mode', ['language', 'linear', 'prompt', 'head'])
def test_gradient_checkpointing_changes_nothing(tiny_bert, mode):
    grads = []
    for with_cp in (False, True):
        model = built(tiny_bert, mode, with_cp=with_cp)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        loss_of(model).backward()
        grads.append({n: p.grad for n, p in model.named_parameters() if p.requires_grad})
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, msg=name)


def test_optimizer_has_the_trained_parameters_only_and_says_why(tiny_bert, caplog):
    model = built(tiny_bert, 'linear')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            wrapper = optimizer_of(model)
    finally:
        logger.removeHandler(caplog.handler)
    held = {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}
    assert held == {id(p) for n, p in model.named_parameters() if n in PROBE}
    assert "tuning='linear'" in caplog.text


def test_table_at_the_start(tiny_bert, caplog):
    model = build_nano(tiny_bert, tuning=dict(type='prompt', num_positions=64))
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            model.init_weights()
    finally:
        logger.removeHandler(caplog.handler)
    assert 'model.tuning: prompt, num_positions=64' in caplog.text
    lines = {line[:14].strip(): line.split() for line in caplog.text.splitlines()}
    assert lines['prompt offset'][-3:] == ['2,048', '2,048', '100.00%']
    assert lines['backbone'][-3] == '-'
    rows = part_rows(model)
    assert sum(row.total for row in rows) == sum(p.numel() for p in model.parameters())
    assert [row.part for row in rows] == ['backbone', 'neck', 'language model', 'prompt offset',
                                          'fusion', 'dynamic conv', 'head']
    assert part_of('mlm_head.dense.weight') == 'mlm_head'


@pytest.mark.parametrize('config, message', [
    ('promt', "model.tuning is 'promt'; it must be one of full, head"),
    (dict(r=4), 'model.tuning is None'),
    (dict(type='linear', r=4), "of type 'linear' has 'r'; it knows no options"),
    (dict(type='prompt', lenght=4), "has 'lenght'; it knows prompt, one_prompt, num_positions"),
])
def test_wrong_settings_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        Tuning(config)


def test_a_new_mode_is_one_entry(tiny_bert, monkeypatch):
    monkeypatch.setitem(MODES, 'offset_and_boxes', Mode(
        ('prompt_table.', 'bbox_head.bbox_pred.'), ('backbone', 'neck'), prompt_table=True,
        options=dict(PROMPT_OPTIONS, num_positions=64)))
    model = built(tiny_bert, 'offset_and_boxes')
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {
        'prompt_table.weight', 'bbox_head.bbox_pred.weight', 'bbox_head.bbox_pred.bias'}
    assert len(model.prompt_table.weight) == 64 and not model.backbone.training
    assert str(model.tuning) == 'offset_and_boxes'
