"""Channels, levels and strides are told once and checked."""

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from glip_mm.models.detectors.contracts import check_maps, check_strides, through_neck
from glip_mm.registry import MODELS

from .nano import data_sample, image, losses_of, nano_config, predict

FIVE = [8, 16, 32, 64, 128]


def build(tiny_bert, drop=(), **changes):
    config = nano_config(tiny_bert)
    for part, keys in changes.items():
        config[part] = keys if isinstance(keys, list) else {
            **({} if keys.pop('_delete_', False) else config[part]), **keys}
    for part, key in drop:
        config[part].pop(key, None)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return MODELS.build(config)


def anchors(strides):
    return dict(anchor_generator=dict(
        type='AnchorGenerator', ratios=[1.0], octave_base_scale=8, scales_per_octave=1,
        strides=list(strides), center_offset=0.5))


def test_channels_and_levels_are_those_of_the_neck(tiny_bert):
    model = build(tiny_bert, drop=[('fusion_neck', 'in_channels'), ('bbox_head', 'in_channels')],
                  neck=dict(out_channels=48, num_outs=4), bbox_head=anchors(FIVE[:4]))
    assert model.fusion_neck.layers[0].conv.offset.in_channels == 48
    assert model.bbox_head.bbox_pred.in_channels == 48 and len(model.bbox_head.scales) == 4
    assert all(v.isfinite() for v in losses_of(model, [image()], [data_sample(('cat', ))]).values())


@pytest.mark.parametrize('changes, message', [
    (dict(fusion_neck=dict(in_channels=64)),
     'model.neck.out_channels=32, model.fusion_neck.in_channels=64, model.bbox_head.in_channels=32 '
     'contradict each other: the channels of the feature maps'),
    (dict(bbox_head=dict(in_channels=16)), 'model.bbox_head.in_channels=16 contradict'),
    (dict(bbox_head=dict(num_levels=4)),
     'model.neck.num_outs=5, model.bbox_head.num_levels=4 contradict each other: the pyramid '
     'levels are the same in all of them; leave out model.bbox_head.num_levels'),
    (dict(neck=dict(num_outs=4)),
     'bbox_head.anchor_generator.strides are for 5 levels, the neck gives 4'),
    # what classes of MMDetection refuse by a bare assertion
    (dict(neck=dict(num_outs=2)),
     'model.neck cannot be built from .*num_outs.*: assert num_outs >= self.num_ins'),
    (dict(backbone=dict(out_indices=(1, 2, 7))),
     'model.backbone cannot be built from .*: assert max.out_indices. < num_stages'),
    (dict(neck=dict(out_channels=40), fusion_neck=dict(in_channels=40),
          bbox_head=dict(in_channels=40)),
     'model.neck.out_channels=40 is no multiple of model.fusion_neck.num_groups=16'),
    (dict(neck=dict(_delete_=True, type='SSH', num_scales=3, in_channels=[8, 16, 32],
                    out_channels=[32, 32, 64])),
     r'model.neck.out_channels=\[32, 32, 64\]: fusion and head need the same number')])
def test_numbers_that_contradict_each_other_are_named(tiny_bert, changes, message):
    with pytest.raises(ValueError, match=message):
        build(tiny_bert, **changes)


def test_necks_follow_each_other(tiny_bert):
    fpn = nano_config(tiny_bert)['neck']
    model = build(tiny_bert, drop=[('fusion_neck', 'in_channels'), ('bbox_head', 'in_channels')],
                  neck=[fpn, dict(type='BFP', in_channels=32, num_levels=5)])
    assert model.bbox_head.bbox_pred.in_channels == 32
    model.load_state_dict(model.state_dict())
    assert all(v.isfinite() for v in losses_of(model, [image()], [data_sample(('cat', ))]).values())


@pytest.mark.parametrize('in_channels', [[8, 16, 64], [8, 16], [32, 16, 8]])
def test_channels_that_are_not_those_of_the_backbone_stop_the_first_forward(tiny_bert,
                                                                            in_channels):
    model = build(tiny_bert, neck=dict(in_channels=in_channels))
    with pytest.raises(ValueError, match=r'model.neck.in_channels=\[.*\], but model.backbone gives '
                                         r'3 maps of \[8, 16, 32\] channels: set the former'):
        predict(model, [image()], [data_sample(('cat', ))])


def test_a_backbone_may_give_its_only_map_as_such():
    only = torch.empty(2, 12, 4, 4)  # as the ViT of MMDetection's projects does
    assert through_neck(lambda x: [x], only, [12])[0] is only
    with pytest.raises(ValueError, match=r'in_channels=\[8\], .* gives 1 maps of \[12\] channels'):
        through_neck(nn.Conv2d(8, 8, 1), only, [8])


def test_maps_of_other_channels_or_more_images_are_refused():
    maps = [torch.empty(6, 32, size, size) for size in (8, 4)]
    check_maps(maps, 6, 32)
    with pytest.raises(ValueError, match=r'bbox_head.in_channels=64, .* have \[32, 32\] channels'):
        check_maps(maps, 6, 64)
    with pytest.raises(ValueError, match='makes maps of 6 images from 2'):
        check_maps(maps, 2, 32)


@pytest.mark.parametrize('strides', [[16, 32, 64, 128, 256], [8, 16, 16, 64, 128],
                                     [4, 8, 16, 32, 64]])
@pytest.mark.parametrize('training', [True, False])
def test_strides_that_are_not_those_of_the_maps_stop_the_first_forward(tiny_bert, strides,
                                                                       training):
    model = build(tiny_bert, bbox_head=anchors(strides))
    with pytest.raises(ValueError, match=r'anchor_generator.strides=\[.*\], but an input of '
                                         r'96 x 64 pixels has feature maps of 12 x 8, 6 x 4, .* '
                                         r'strides of about \[8, 16, 32, '):
        if training:
            losses_of(model, [image()], [data_sample(('cat', ), [[10, 10, 50, 50]], [0])])
        else:
            predict(model, [image()], [data_sample(('cat', ))])


@pytest.mark.parametrize('height, width', [(64, 96), (65, 97), (800, 1333), (33, 31)])
@pytest.mark.parametrize('up', [True, False])
def test_sizes_may_be_rounded_up_or_down_at_each_level(height, width, up):
    sizes, size = [], (height, width)
    for _ in range(8):
        size = tuple(max(1, -(-s // 2) if up else s // 2) for s in size)
        sizes.append(size)
    feats = [torch.empty(1, 1, *size) for size in sizes[2:7]]
    check_strides(feats, (height, width), [(s, s) for s in FIVE])
