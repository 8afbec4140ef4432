import pytest
import torch
from mmdet.models.backbones.swin import SwinTransformer, WindowMSA

from glip_mm.models.layers.window_attention import speed_up_window_attention
from glip_mm.ops.fast_paths import plain


@pytest.fixture
def swin():
    torch.manual_seed(0)
    model = SwinTransformer(embed_dims=12, depths=(2, 2, 2, 2), num_heads=(1, 2, 3, 4),
                            drop_path_rate=0., window_size=3)
    for name, value in model.named_parameters():
        if 'relative_position' in name:
            torch.nn.init.normal_(value)
    return speed_up_window_attention(model)


def test_equals_mmdetections(swin, monkeypatch):
    swin.eval()
    x, calls = torch.randn(2, 3, 70, 90), []
    real = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(torch.nn.functional, 'scaled_dot_product_attention',
                        lambda *a, **k: calls.append(1) or real(*a, **k))
    fast = swin(x)
    assert len(calls) == 8
    with plain('window_attention'):
        wanted = swin(x)
    assert len(calls) == 8
    for a, b in zip(fast, wanted):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert 'stages.0.blocks.0.attn.w_msa.qkv.weight' in swin.state_dict()


def test_the_bias_learns(swin):
    swin.train()
    sum(out.square().mean() for out in swin(torch.randn(1, 3, 70, 90))).backward()
    attentions = [m for m in swin.modules() if type(m) is WindowMSA]
    assert len(attentions) == 8
    assert all(m.relative_position_bias_table.grad.abs().max() > 0 for m in attentions)


def test_a_backbone_of_somebody_else_stays_as_it_is(swin):
    class Theirs(SwinTransformer):
        """A class of another package."""

    model = torch.nn.Sequential(Theirs(embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 3, 4)))
    speed_up_window_attention(model)
    assert not any('forward' in vars(module) for module in model.modules())
    assert any('forward' in vars(module) for module in swin.modules())


def hook(layer):
    layer.softmax.register_forward_hook(lambda *a: None)


def replace(layer):
    layer.attn_drop = torch.nn.Hardtanh()


@pytest.mark.parametrize('change', [hook, replace])
def test_parts_that_were_changed_are_called(swin, monkeypatch, change):
    for layer in swin.modules():
        if type(layer) is WindowMSA:
            change(layer)
    monkeypatch.delattr(torch.nn.functional, 'scaled_dot_product_attention')
    swin.eval()
    swin(torch.randn(1, 3, 70, 90))


def test_dropout_that_is_on_by_itself_acts(swin):
    swin.eval()
    for layer in swin.modules():
        if type(layer) is WindowMSA:
            layer.attn_drop = torch.nn.Dropout(0.5).eval()
    x = torch.randn(1, 3, 70, 90)
    torch.testing.assert_close(swin(x), swin(x))
    for layer in swin.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.train()
    assert not torch.allclose(swin(x)[0], swin(x)[0])
