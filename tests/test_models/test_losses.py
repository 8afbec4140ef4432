import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope

from glip_mm.models.losses import (
    CenternessLoss,
    ContrastiveAlignLoss,
    GIoULoss,
    InterImageContrastiveLoss,
    MaskedLanguageHead,
    RegionWordLoss,
    centerness_loss,
    contrastive_align,
    dense_targets,
    giou_loss,
)
from glip_mm.registry import MODELS

from .nano import data_sample, image, losses_of, nano_config


def dense_focal(logits, targets, mask, alpha=0.25, gamma=2.0):
    p = logits.sigmoid()
    targets = targets.float()
    bce = F.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    pt = p * targets + (1 - p) * (1 - targets)
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return (bce * (1 - pt)**gamma * weight * mask[:, None]).sum()


def test_region_word_loss_equals_dense_focal_loss():
    torch.manual_seed(0)
    logits = torch.randn(2, 11, 7, requires_grad=True)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3]).bool()
    positives = torch.tensor([[0, 3], [0, 9], [1, 0]])
    targets = torch.rand(3, 7) > 0.5
    loss = RegionWordLoss()(logits, mask, positives, targets)
    wanted = dense_focal(logits, dense_targets(positives, targets, 11, 2), mask)
    torch.testing.assert_close(loss, wanted)
    grad, = torch.autograd.grad(loss, logits, retain_graph=True)
    wanted_grad, = torch.autograd.grad(wanted, logits)
    torch.testing.assert_close(grad, wanted_grad)


def test_region_word_loss_without_positives_and_with_huge_logits():
    logits = torch.tensor([[[5e4, -5e4, 0.0]]], requires_grad=True)
    mask = torch.ones(1, 3, dtype=torch.bool)
    loss = RegionWordLoss()(logits, mask, torch.zeros(0, 2, dtype=torch.long),
                            torch.zeros(0, 3, dtype=torch.bool))
    assert loss.isfinite() and loss > 3e4
    loss.backward()
    assert logits.grad.isfinite().all()


def test_masked_language_loss_is_zero_when_nothing_is_masked():
    head = MaskedLanguageHead(8, 50)
    text = torch.randn(2, 5, 8)
    labels = torch.full((2, 5), -100)
    loss = head.loss(text, labels)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or (p.grad == 0).all() for p in head.parameters())
    labels[0, 1], labels[1, 3] = 7, 9
    wanted = F.cross_entropy(head(text)[[0, 1], [1, 3]], torch.tensor([7, 9]))
    torch.testing.assert_close(head.loss(text, labels), wanted)


def test_contrastive_align_prefers_the_right_words():
    positives = torch.tensor([[[1, 0, 0], [0, 1, 1]]]).bool()
    right = contrastive_align(10 * positives.float(), positives)
    wrong = contrastive_align(10 * (~positives).float(), positives)
    assert right < wrong
    assert contrastive_align(torch.randn(1, 2, 3), torch.zeros(1, 2, 3).bool()) == 0


@pytest.mark.parametrize('kind', [ContrastiveAlignLoss, InterImageContrastiveLoss])
def test_contrastive_modules_learn(kind):
    torch.manual_seed(0)
    module = kind(visual_dim=6, language_dim=5, hidden_dim=4)
    text, mask = torch.randn(2, 3, 5), torch.ones(2, 3, dtype=torch.bool)
    if kind is ContrastiveAlignLoss:
        visual, positives = torch.randn(2, 4, 6), torch.zeros(2, 4, 3, dtype=torch.bool)
        positives[0, 1, 2] = positives[1, 0, 0] = True
    else:
        visual, positives = torch.randn(4, 6), torch.zeros(4, 2, 3, dtype=torch.bool)
        positives[0, 0, 1] = positives[1, 1, 0] = True
    optimizer = torch.optim.Adam(module.parameters(), 0.1)
    losses = []
    for _ in range(30):
        loss = module(visual, text, mask, positives)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def boxes_and_quality(count=5):
    torch.manual_seed(1)
    corner, size = torch.rand(count, 2) * 50, 5 + torch.rand(count, 2) * 40
    target = torch.cat((corner, corner + size), dim=1)
    return (target + torch.randn(count, 4)).requires_grad_(), target, torch.rand(count)


def test_box_and_centerness_losses_are_the_published_sums():
    pred, target, quality = boxes_and_quality()
    total = quality.sum()
    assert torch.equal(GIoULoss(loss_weight=2.0)(pred, target, quality, avg_factor=total),
                       2.0 * giou_loss(pred, target, quality) / total)
    logits = torch.randn(5)
    assert torch.equal(CenternessLoss()(logits, quality, avg_factor=torch.tensor(5.0)),
                       centerness_loss(logits, quality) / 5)


def nano_losses(tiny_bert, **bbox_head):
    config = nano_config(tiny_bert)
    config['bbox_head'].update(bbox_head)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        model = MODELS.build(config)
    return losses_of(model.eval(), [image(0), image(1)], [
        data_sample(('cat', 'dog'), [[10, 10, 50, 50]], [1]), data_sample(('cat', 'dog'))])


def test_losses_of_boxes_and_centerness_are_parts_of_the_config(tiny_bert):
    published = nano_losses(tiny_bert)
    same = nano_losses(tiny_bert, loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
                       loss_centerness=dict(type='CenternessLoss', loss_weight=1.0))
    assert all(torch.equal(same[k], published[k]) for k in published)
    other = nano_losses(tiny_bert, loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
                        loss_centerness=dict(type='CenternessLoss', loss_weight=3.0))
    torch.testing.assert_close(other['loss_bbox'], published['loss_bbox'] / 2)
    torch.testing.assert_close(other['loss_centerness'], published['loss_centerness'] * 3)
    mmdet = nano_losses(
        tiny_bert, loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=2.0),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0))
    for key, value in published.items():
        torch.testing.assert_close(mmdet[key], value, rtol=1e-4, atol=1e-5)
    different = nano_losses(tiny_bert, loss_bbox=dict(type='DIoULoss', loss_weight=2.0))
    assert different['loss_bbox'].isfinite()
    assert different['loss_bbox'] != published['loss_bbox']


def test_losses_of_mmdetection_allow_images_without_boxes(tiny_bert):
    config = nano_config(tiny_bert)
    config['bbox_head'].update(
        loss_bbox=dict(type='DIoULoss'),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True))
    with DefaultScope.overwrite_default_scope('glip_mm'):
        model = MODELS.build(config)
    losses = losses_of(model, [image()], [data_sample(('cat', ))])
    assert losses['loss_bbox'] == 0 and losses['loss_centerness'] == 0
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_the_old_option_still_works_and_says_the_new_one(tiny_bert):
    with pytest.warns(FutureWarning, match=r"write bbox_head.loss_bbox=dict\(type='GIoULoss', "
                                           r"loss_weight=4.0\)"):
        old = nano_losses(tiny_bert, loss_box_weight=4.0,
                          loss_bbox=dict(type='GIoULoss', loss_weight=2.0))
    with pytest.warns(FutureWarning):
        alone = nano_losses(tiny_bert, loss_box_weight=4.0)
    published = nano_losses(tiny_bert)
    assert old['loss_bbox'] == alone['loss_bbox'] == 2 * published['loss_bbox']
