"""Small numbers computed with the official code: one test a component.

Inputs are closed formulas: ``fill`` for parameters, ``seq`` for tensors.
"""

import pytest
import torch

from glip_mm.models.dense_heads.detection_selection import LevelOutput
from glip_mm.models.dense_heads.inclusive_boxes import decode, encode, to_half_open, to_inclusive
from glip_mm.models.dense_heads.score_aggregation import aggregate_scores
from glip_mm.models.layers import BiAttention, DyConv
from glip_mm.models.layers.dynamic_conv import flatten_levels, split_levels
from glip_mm.models.losses import RegionWordLoss, centerness_target, contrastive_align, giou_loss

ANCHORS = torch.tensor([[-28., -28., 35., 35.], [100., 50., 227., 177.]])
BOXES = torch.tensor([[0., 2., 40., 30.], [90., 60., 250., 160.]])


def seq(*shape, a=0.5, w=0.9, c=0.0):
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (a * torch.sin(w * index + c)).float().reshape(shape)


def fill(module, names):
    """Parameter number j holds 0.3 sin(0.7 i + j)."""
    parameters = dict(module.named_parameters())
    assert set(names) == set(parameters)
    for j, name in enumerate(names):
        value = seq(*parameters[name].shape, a=0.3, w=0.7, c=j)
        parameters[name].data.copy_(value)
    return module.eval()


def close(value, expected, atol=2e-6):
    torch.testing.assert_close(torch.as_tensor(value, dtype=torch.float32).flatten(),
                               torch.tensor(expected, dtype=torch.float32).flatten(),
                               atol=atol, rtol=1e-6)


def test_box_coder():
    encoded = encode(ANCHORS, BOXES)
    close(encoded, [[2.578125, 1.953125, -2.226555, -3.957936],
                    [0.5078125, -0.2734375, 1.146870, -1.184549]])
    close(decode(ANCHORS, encoded), BOXES.tolist(), atol=1e-4)
    far = decode(ANCHORS[:1], torch.tensor([[1., -2., 30., -40.]]))
    close(far, [[-1989.6001, -8.810735, 2009.4001, -9.789266]], atol=2e-3)


def test_iou_counts_the_last_pixel():
    from mmdet.registry import TASK_UTILS
    iou = TASK_UTILS.build(dict(type='BboxOverlaps2D_GLIP'))
    close(iou(ANCHORS, BOXES), [[0.24616836, 0], [0, 0.65567786]])


@pytest.mark.parametrize('mask, expected', [([1, 1, 1, 0], 5.809540), ([1, 1, 1, 1], 5.960989)])
def test_region_word_loss(mask, expected):
    targets = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0]], dtype=torch.bool)
    positives = torch.tensor([[0, 0], [0, 2]])  # the second anchor is background
    loss = RegionWordLoss()(seq(1, 3, 4, a=3), torch.tensor([mask], dtype=torch.bool), positives,
                            targets)
    close(loss, expected, atol=1e-5)


def test_box_and_centerness_losses():
    pred = decode(ANCHORS, torch.tensor([[.2, -.3, .5, .1], [-.4, .2, .1, -.6]]))
    close(giou_loss(pred, BOXES, torch.ones(2)), 1.041640)
    close(giou_loss(pred, BOXES, torch.tensor([.5, .8])), 0.606574)
    boxes = torch.tensor([[0., 0., 40., 30.], [90., 60., 250., 160.]])
    close(centerness_target(ANCHORS, boxes), [0.11253787, 0.85937995])


def test_contrastive_align():
    positives = torch.tensor([[[1, 1, 0], [0, 0, 1]]], dtype=torch.bool)
    close(contrastive_align(seq(1, 2, 3, a=2), positives), 5.001227, atol=1e-5)


def test_assignment():
    from mmengine.registry import DefaultScope
    from mmengine.structures import InstanceData

    from glip_mm.models.dense_heads import ATSSGroundingHead
    with DefaultScope.overwrite_default_scope('glip_mm'):
        head = ATSSGroundingHead(in_channels=4, language_dim=4)
    sizes = [(28, 40), (14, 20), (7, 10), (4, 5), (2, 3)]
    anchors = [to_inclusive(a) for a in head.anchor_generator.grid_priors(sizes, device='cpu')]
    assert anchors[0][0].tolist() == [-28, -28, 35, 35]
    levels = [LevelOutput(None, None, None, a) for a in anchors]
    boxes = torch.tensor([[10., 20., 120., 140.], [60., 50., 200., 210.], [5., 5., 60., 70.]])
    gt = InstanceData(bboxes=to_half_open(boxes), labels=torch.tensor([1, 3, 4]))
    assigned = head.assign(levels, [gt])
    found = {}
    for (_, anchor), label in zip(assigned.positives.tolist(), assigned.labels.tolist()):
        found.setdefault(label, []).append(anchor)
    assert found == {
        4: [123, 124, 162, 163, 164, 165, 203, 204, 205],
        1: [1184, 1203, 1204, 1205, 1223, 1224, 1225, 1243, 1244],
        3: [1248, 1267, 1268, 1269, 1287, 1288, 1289, 1307, 1308]}


def test_score_aggregation():
    probs = seq(1, 2, 6, a=2).sigmoid()
    token_map = torch.zeros(1, 3, 6)
    token_map[0, 0, [1, 2]] = token_map[0, 2, 4] = 1
    mean = aggregate_scores(probs, token_map, 'MEAN')
    close(mean, [[[.851251, 0, .292134], [.669323, 0, .695135]]])
    close(aggregate_scores(probs, token_map, 'MAX')[..., 0], [.875195, .830241])
    close(aggregate_scores(probs, token_map, 'POWER')[..., 0], [.850914, .649692])


def test_fusion():
    layer = fill(BiAttention(4, 6, embed_dim=8, num_heads=2), [
        f'{name}.{kind}' for name in ('l_proj', 'out_l_proj', 'out_v_proj', 'v_proj',
                                      'values_l_proj', 'values_v_proj')
        for kind in ('bias', 'weight')] + ['gamma_l', 'gamma_v'] + [
            f'{name}.{kind}' for name in ('layer_norm_l', 'layer_norm_v')
            for kind in ('bias', 'weight')])
    sizes = [(4, 4), (2, 2), (1, 1), (1, 1), (1, 1)]
    maps = [seq(1, 4, h, w, c=level) for level, (h, w) in enumerate(sizes)]
    mask = torch.tensor([[1, 1, 1, 0, 0]], dtype=torch.bool)
    with torch.no_grad():
        visual, text = layer(flatten_levels(maps), seq(1, 5, 6, w=.8), mask)
    out = split_levels(visual, maps)
    close(out[0].flatten()[:6], [-.195922, -.477827, -.478120, -.296008, .030815, .168903])
    close(out[0].sum(), -19.708344, atol=2e-5)
    close(out[4], [-.000801, -.153805, -.399387, -.066162])
    close(text[0, 0], [.119042, .263151, -.207810, -.505633, -.287035, -.143367])
    close(text[0, 4], [.244834, .263833, -.176121, -.378043, -.194999, -.145642])


def test_dynamic_convolution():
    """Fails if the offsets' view or the corner-aligned upsampling is wrong."""
    branches = [f'branches.{k}.{part}' for k in range(3)
                for part in ('norm.bias', 'norm.weight', 'conv.bias', 'conv.weight')]
    layer = fill(DyConv(8, num_groups=2), [
        'scale_attention.bias', 'scale_attention.weight', *branches, 'offset.bias',
        'offset.weight', 'activation.fc.0.bias', 'activation.fc.0.weight',
        'activation.fc.2.bias', 'activation.fc.2.weight'])
    sizes = [(8, 10), (4, 5), (2, 3)]
    with torch.no_grad():
        out = layer([seq(1, 8, h, w, c=level) for level, (h, w) in enumerate(sizes)])
    expected = [([.038187, .018158, .029560], 31.51038, 37.15802),
                ([.055632, .032902, .053169], 7.32261, 9.66508),
                ([.031219, .049194, .061267], 3.68668, 4.24193)]
    for level, (first, total, magnitude) in zip(out, expected):
        close(level.flatten()[:3], first)
        close(level.sum(), total, atol=5e-5)
        close(level.abs().sum(), magnitude, atol=5e-5)
