"""Any MMDetection backbone fits: channels and strides are the only contract."""

import pytest
import torch

from .nano import build_nano, data_sample, image, losses_of, predict

BACKBONES = dict(
    resnet50=(dict(type='ResNet', depth=50, base_channels=8, out_indices=(1, 2, 3)),
              (64, 128, 256)),
    resnext=(dict(type='ResNeXt', depth=50, groups=4, base_width=4, base_channels=8,
                  out_indices=(1, 2, 3)), (64, 128, 256)),
    mobilenet_v2=(dict(type='MobileNetV2', widen_factor=0.25, out_indices=(2, 4, 7)),
                  (8, 24, 1280)),
    pvt_v2=(dict(type='PyramidVisionTransformerV2', embed_dims=8, num_layers=[1, 1, 1, 1],
                 out_indices=(1, 2, 3)), (16, 40, 64)),
    efficientnet=(dict(type='EfficientNet', arch='b0', out_indices=(3, 4, 5)), (40, 112, 320)),
    csp_darknet=(dict(type='CSPDarknet', deepen_factor=0.33, widen_factor=0.125), (32, 64, 128)),
    csp_next=(dict(type='CSPNeXt', deepen_factor=0.17, widen_factor=0.125), (32, 64, 128)),
    regnet=(dict(type='RegNet', arch='regnetx_400mf', out_indices=(1, 2, 3)), (64, 160, 384)),
    swin=(dict(type='SwinTransformer', embed_dims=24, depths=[1, 1, 1, 1],
               num_heads=[1, 2, 3, 4], window_size=4, out_indices=(1, 2, 3)), (48, 96, 192)))


@pytest.mark.parametrize('name', sorted(BACKBONES))
def test_builds_trains_one_step_and_predicts(name, tiny_bert):
    backbone, channels = BACKBONES[name]
    model = build_nano(tiny_bert, backbone=backbone, in_channels=channels)
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-3)
    samples = [data_sample(('cat', 'red car'), [[10, 10, 50, 50]], [1]),
               data_sample(('dog',), [[5, 20, 60, 62], [30, 5, 90, 40]], [0, 0])]
    before = {k: v.clone() for k, v in model.named_parameters()}
    losses = losses_of(model, [image(0), image(1)], samples)
    assert set(losses) == {'loss_region_word', 'loss_bbox', 'loss_centerness'}
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all()
               for p in model.parameters() if p.requires_grad)
    optimizer.step()
    moved = [k for k, v in model.named_parameters() if not torch.equal(v, before[k])]
    assert any(k.startswith('backbone.') for k in moved)
    model.test_cfg = model.test_cfg.replace(score_thr=1e-4)
    results = predict(model, [image(0), image(1)], samples)
    for result in results:
        instances = result.pred_instances
        assert len(instances) > 0 and instances.scores.isfinite().all()
        assert set(instances.label_names) <= set(result.text)
