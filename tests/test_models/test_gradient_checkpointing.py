"""One switch saves activations in all parts and changes no gradient."""

import torch

from glip_mm.models.detectors.gradient_checkpointing import switch_checkpointing

from .nano import build_nano, data_sample, image, losses_of


def gradients(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif hasattr(module, 'dropout_prob'):
            module.dropout_prob = 0.0  # the fused attention of transformers 4
    kept = 0

    def pack(tensor):
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        losses = losses_of(model, [image(0)], [data_sample(('cat', 'dog'), [[9, 9, 50, 50]], [1])])
    sum(losses.values()).backward()
    return {n: p.grad for n, p in model.named_parameters()}, kept


SWIN = dict(type='SwinTransformer', embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4],
            window_size=4, out_indices=(1, 2, 3), drop_path_rate=0.)


def test_gradients_are_the_same(tiny_bert):
    settings = dict(backbone=SWIN, in_channels=(48, 96, 192))
    wanted, most = gradients(build_nano(tiny_bert, with_cp=False, **settings))
    model = build_nano(tiny_bert, with_cp=True, **settings)
    assert model.backbone.stages[0].blocks[0].with_cp
    assert model.fusion_neck.layers[0].with_cp
    assert model.language_model.encoder.is_gradient_checkpointing
    found, kept = gradients(model)
    for name, grad in wanted.items():
        torch.testing.assert_close(found[name], grad, msg=name)
    assert kept < 0.8 * most


def test_nothing_said_leaves_each_part_as_configured(tiny_bert):
    fusion = build_nano(tiny_bert).fusion_neck
    assert not fusion.layers[0].with_cp
    assert build_nano(tiny_bert, with_cp=True).fusion_neck.layers[0].with_cp


def test_a_backbone_without_checkpointing_is_left_alone():
    config = dict(type='mmdet.CSPNeXt')
    assert switch_checkpointing(config, True) == config
    assert switch_checkpointing(dict(type='mmdet.ResNet', depth=50), True)['with_cp']
