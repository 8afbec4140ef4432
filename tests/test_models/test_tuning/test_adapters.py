"""Adapters start as nothing, learn alone, load into and merge back into plain models."""

import copy

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict

from glip_mm.checkpoints import convert_state_dict, load_glip_checkpoint, merge_adapters
from glip_mm.models.tuning.adapters import adapted_layers, choose_layers
from tests.test_models.nano import build_nano, data_sample, image, predict

from .training import TEXT, WITH_SWIN, built, changed, snapshot, train

pytest.importorskip('peft')


def dense(model):
    """Everything the head says about an image, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        data = model.data_preprocessor(
            dict(inputs=[image(0)], data_samples=[data_sample(TEXT)]), False)
        levels = model(**data, mode='tensor')
    return torch.cat([torch.cat([level.logits.flatten(), level.deltas.flatten(),
                                 level.centerness.flatten()]) for level in levels])


@pytest.fixture(scope='module')
def base(tiny_bert):
    """A plain model with random weights all over, as a stand-in for a pretrained one."""
    model = build_nano(tiny_bert, seed=7, **WITH_SWIN)
    with torch.no_grad():
        for param in model.parameters():
            param.add_(0.02 * torch.randn_like(param))
    return model


@pytest.fixture(scope='module')
def trained(tiny_bert, base):
    model = built(tiny_bert, dict(type='lora', r=4, alpha=8), **WITH_SWIN)
    load_glip_checkpoint(model, base.state_dict())
    start, before = dense(model), snapshot(model)
    train(model.train(), steps=3, lr=1e-2)
    return model, start, before


def test_all_three_parts_have_adapters(trained):
    names = set(adapted_layers(trained[0]))
    assert {'language_model.encoder.encoder.layer.0.attention.self.query',
            'backbone.stages.0.blocks.0.attn.w_msa.qkv', 'backbone.stages.0.blocks.0.ffn.layers.1',
            'backbone.stages.0.downsample.reduction', 'fusion_neck.layers.1.attention.v_proj',
            'fusion_neck.layers.1.text.output'} <= names
    assert not any(name.startswith('bbox_head') for name in names)


def test_a_base_checkpoint_loads_and_means_the_same(trained, base):
    assert torch.equal(trained[1], dense(base))


def test_only_adapters_and_the_linear_probe_learn(trained):
    model, _, before = trained
    found = changed(model, before)
    others = {name for name in found if '.lora_' not in name}
    assert others and all(name.startswith('bbox_head.') for name in others)
    # what the text keys add to all scores alike has no effect, whatever part adds it
    ups = {name for name in before if '.lora_B.' in name}
    assert ups <= found
    assert not torch.equal(dense(model), trained[1])


def test_merged_weights_compute_the_same(trained, tiny_bert):
    model = trained[0]
    state, layers = merge_adapters(model.state_dict(), alpha=8)
    assert layers == len(adapted_layers(model))
    plain = build_nano(tiny_bert, seed=3, **WITH_SWIN)
    assert state.keys() == plain.state_dict().keys()
    load_glip_checkpoint(plain, state)
    torch.testing.assert_close(dense(plain), dense(model), rtol=1e-4, atol=2e-5)
    assert (dense(plain) - trained[1]).abs().max() > 1e-2
    ours, theirs = (predict(m, [image(0)], [data_sample(TEXT)])[0].pred_instances
                    for m in (model, plain))
    torch.testing.assert_close(ours.bboxes, theirs.bboxes, rtol=1e-3, atol=1e-2)


def test_peft_merges_to_the_same_weights(trained):
    model = copy.deepcopy(trained[0])
    state, _ = merge_adapters(model.state_dict(), alpha=8)
    for name, layer in adapted_layers(model).items():
        layer.merge()
        torch.testing.assert_close(layer.get_base_layer().weight, state[name + '.weight'])
        assert layer.weight is layer.get_base_layer().weight


def test_adapters_load_again(trained, tiny_bert):
    model = trained[0]
    again = build_nano(tiny_bert, seed=5, tuning=dict(type='lora', r=4, alpha=8), **WITH_SWIN)
    state = get_state_dict(model)  # as MMEngine saves
    assert state.keys() == model.state_dict().keys()
    again.load_state_dict(state)
    assert torch.equal(dense(again), dense(model))


def test_a_plain_model_refuses_adapters_and_says_what_to_do(trained, base):
    with pytest.raises(KeyError, match='merge_lora.py'):
        load_glip_checkpoint(copy.deepcopy(base), trained[0].state_dict())
    with pytest.raises(KeyError, match='merge them first'):
        convert_state_dict(trained[0].state_dict(), 'official')
    with pytest.raises(KeyError, match='no adapters'):
        merge_adapters(base.state_dict(), alpha=8)


def test_half_the_adapters_are_an_error(trained, tiny_bert):
    model = build_nano(tiny_bert, tuning=dict(type='lora', r=4), **WITH_SWIN)
    state = trained[0].state_dict()
    state.pop('fusion_neck.layers.0.text.query.lora_A.default.weight')
    with pytest.raises(KeyError, match='missing.*text.query.lora_A'):
        load_glip_checkpoint(model, state)


def test_initialising_a_part_leaves_its_adapters_at_nothing(tiny_bert):
    """Swin draws all its linear layers anew, those inside adapters among them."""
    model = built(tiny_bert, 'lora', **WITH_SWIN)
    assert any(name.startswith('backbone') for name in adapted_layers(model))
    for layer in adapted_layers(model).values():
        assert not layer.lora_B['default'].weight.any()
        assert layer.lora_A['default'].weight.any()


def test_the_fusion_uses_adapters_of_layers_it_never_calls(tiny_bert):
    targets = ['attention.v_proj', 'values_v_proj', 'out_v_proj']
    model = built(tiny_bert, dict(type='lora', targets=targets, linear=False))
    assert len(adapted_layers(model)) == 2 * len(targets)
    before = snapshot(model)
    # the last block's text goes nowhere without fusion after it, but these words make logits
    train(model, steps=2)
    found = changed(model, before)
    ups = {name for name in before if '.lora_B.' in name}
    assert ups <= found and all('.lora_' in name for name in found)


def test_parts_without_adapters_stay_in_evaluation_mode(tiny_bert):
    model = built(tiny_bert, dict(type='lora', parts=['fusion_neck']))
    assert not model.backbone.training and not model.language_model.training
    assert model.language_model.frozen and model.fusion_neck.training
    model = built(tiny_bert, 'lora')  # a ResNet has no linear layer
    assert not model.backbone.training and model.language_model.encoder.training


def test_gradient_checkpointing_changes_nothing(tiny_bert, base):
    from .training import loss_of
    grads = []
    for with_cp in (False, True):
        model = built(tiny_bert, 'lora', with_cp=with_cp, **WITH_SWIN)
        load_glip_checkpoint(model, base.state_dict())
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            elif hasattr(module, 'drop_prob'):
                module.drop_prob = 0.0
        torch.manual_seed(0)
        for layer in adapted_layers(model).values():
            torch.nn.init.normal_(layer.lora_A['default'].weight, std=0.1)
            torch.nn.init.normal_(layer.lora_B['default'].weight, std=0.1)
        loss_of(model).backward()
        grads.append({n: p.grad for n, p in model.named_parameters() if p.requires_grad})
    assert all(grad is not None for grad in grads[0].values())
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-3, atol=1e-5, msg=name)


def test_targets_are_ends_of_names():
    names = ['backbone.a.qkv', 'backbone.a.ffn.layers.1', 'fusion_neck.b.key']
    assert choose_layers(names, None) == names
    assert choose_layers(names, ['qkv', 'b.key']) == [names[0], names[2]]
    with pytest.raises(ValueError, match="'kv', which no linear layer's name ends with.*qkv"):
        choose_layers(names, ['kv'])
    with pytest.raises(ValueError, match='no linear layer to adapt'):
        choose_layers([], None)


def test_adapters_alone_load_on_top_of_the_plain_weights(tiny_bert, base, trained):
    alone = {k: v for k, v in trained[0].state_dict().items()
             if '.lora_' in k or k.startswith('bbox_head.')}
    model = built(tiny_bert, dict(type='lora', r=4, alpha=8), strict_load=False, **WITH_SWIN)
    load_glip_checkpoint(model, base.state_dict())
    report = load_glip_checkpoint(model, alone)
    assert 'language_model.encoder.embeddings.word_embeddings.weight' in report.left
    assert torch.equal(dense(model), dense(trained[0]))
