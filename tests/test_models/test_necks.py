import pytest
import torch
from mmdet.models.necks import FPN

from glip_mm.models.language_models import TextFeatures
from glip_mm.models.necks import FPNDropBlock, VLFusionNeck
from glip_mm.models.necks.fpn_drop_block import drop_block
from glip_mm.ops.fast_paths import plain

ARGS = dict(in_channels=[4, 8, 12], out_channels=6, add_extra_convs='on_output',
            relu_before_extra_convs=True, num_outs=5)
TEXT_LAYER = dict(language_dim=12, num_heads=2, intermediate_dim=24)


def pyramid():
    return [torch.randn(2, c, s, s) for c, s in [(4, 32), (8, 16), (12, 8)]]


def test_drop_block_is_mmdets_fpn_in_evaluation():
    torch.manual_seed(0)
    ours, theirs = FPNDropBlock(**ARGS), FPN(**ARGS)
    theirs.load_state_dict(ours.state_dict())
    inputs = pyramid()
    for got, wanted in zip(ours.eval()(inputs), theirs.eval()(inputs)):
        assert torch.equal(got, wanted)


def test_only_the_two_finest_levels_are_dropped():
    torch.manual_seed(0)
    neck = FPNDropBlock(**ARGS)
    inputs = pyramid()
    clean = neck.eval()(inputs)
    noisy = neck.train()(inputs)
    changed = [not torch.equal(a, b) for a, b in zip(clean, noisy)]
    assert changed == [True, True, False, False, False]
    assert not any(torch.equal(a, b) for a, b in zip(noisy[:2], neck(inputs)[:2]))


def test_dropped_squares_are_shared_by_channels_and_rescaled():
    torch.manual_seed(0)
    out = drop_block(torch.ones(4, 5, 40, 40), prob=0.3, size=3)
    zero = out == 0
    assert torch.equal(zero, zero[:, :1].expand_as(zero))
    share = zero.float().mean().item()
    assert 0.2 < share < 0.3  # overlapping squares drop less than the nominal share
    assert out.mean().item() == pytest.approx(1, abs=1e-5)


def gradients(with_cp, dropout=0):
    torch.manual_seed(0)
    neck = VLFusionNeck(16, num_layers=2, embed_dim=8, num_heads=2, dropout=dropout,
                        text_layer=dict(TEXT_LAYER, dropout=dropout), with_cp=with_cp)
    feats = [torch.randn(1, 16, s, s, requires_grad=True) for s in (8, 4)]
    hidden = torch.randn(1, 3, 12, requires_grad=True)
    text = TextFeatures(hidden, hidden, torch.ones(1, 3, dtype=torch.bool))
    out, fused = neck(feats, text)
    (sum(o.square().sum() for o in out) + fused.hidden.square().sum()).backward()
    return [feats[0].grad, hidden.grad, *(p.grad for p in neck.parameters())]


@pytest.mark.parametrize('dropout', [0, 0.3])
@pytest.mark.parametrize('path', [(), ('fusion', )])
def test_checkpointing_changes_no_gradient(dropout, path):
    with plain(*path):
        for got, wanted in zip(gradients(True, dropout), gradients(False, dropout)):
            torch.testing.assert_close(got, wanted)


def test_initial_layer_scale_is_one_over_the_number_of_blocks():
    neck = VLFusionNeck(16, num_layers=8, embed_dim=8, num_heads=2, text_layer=TEXT_LAYER)
    assert neck.layers[0].attention.gamma_v.unique().item() == pytest.approx(1 / 8)


def test_the_given_text_is_left_unchanged():
    neck = VLFusionNeck(16, num_layers=1, embed_dim=8, num_heads=2, text_layer=TEXT_LAYER)
    hidden = torch.randn(1, 3, 12)
    text = TextFeatures(hidden, hidden, torch.ones(1, 3, dtype=torch.bool))
    before = hidden.clone()
    _, fused = neck([torch.randn(1, 16, 8, 8), torch.randn(1, 16, 4, 4)], text)
    assert torch.equal(text.hidden, before) and not torch.equal(fused.hidden, before)


def test_fusion_needs_the_text_layers_shape():
    with pytest.raises(ValueError, match='fusion_neck.text_layer is empty'):
        VLFusionNeck(16)
