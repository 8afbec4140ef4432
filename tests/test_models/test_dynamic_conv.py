import pytest
import torch
from mmcv.ops import modulated_deform_conv2d as mmcv_op

from glip_mm.models.layers import DyConv
from glip_mm.models.layers.dynamic_conv import flatten_levels, split_levels
from glip_mm.ops.deform_conv import view_at_size
from glip_mm.ops.modulated_deform_conv import modulated_deform_conv2d


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [(9, 7), (4, 4), (1, 5), (1, 1)])
def test_deform_conv_equals_mmcv(stride, size):
    torch.manual_seed(0)
    x = torch.randn(2, 6, *size)
    out_size = [(s + stride - 1) // stride for s in size]
    offset = torch.randn(2, 18, *out_size) * 3  # often outside the image
    mask = torch.rand(2, 9, *out_size)
    weight, bias = torch.randn(5, 6, 3, 3), torch.randn(5)
    leaves = [t.requires_grad_() for t in (x, offset, mask, weight, bias)]
    ours = modulated_deform_conv2d(*leaves, stride)
    probe = torch.randn_like(ours)
    our_grads = torch.autograd.grad(ours, leaves, probe)
    theirs = mmcv_op(*leaves, stride, 1, 1, 1, 1)
    their_grads = torch.autograd.grad(theirs, leaves, probe)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    for got, wanted in zip(our_grads, their_grads):
        torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3)


def test_offsets_are_read_from_leading_memory_not_cropped():
    maps = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)
    got = view_at_size(maps, (2, 2))
    assert got.shape == (2, 3, 2, 2)
    assert got[0].flatten().tolist() == list(range(12))
    assert got[1].flatten().tolist() == list(range(48, 60))


def test_levels_round_trip():
    feats = [torch.randn(2, 3, h, w) for h, w in [(4, 6), (2, 3), (1, 2)]]
    tokens = flatten_levels(feats)
    assert tokens.shape == (2, 24 + 6 + 2, 3)
    for got, wanted in zip(split_levels(tokens, feats), feats):
        assert torch.equal(got, wanted)


def test_shapes_and_gradients_of_all_parameters():
    module = DyConv(16)
    feats = [torch.randn(1, 16, h, w) for h, w in [(9, 11), (5, 6), (3, 3)]]
    out = module(feats)
    assert [o.shape for o in out] == [f.shape for f in feats]
    sum(o.square().sum() for o in out).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_is_finite(dtype):
    module = DyConv(16)
    feats = [torch.randn(1, 16, h, w) for h, w in [(8, 8), (4, 4)]]
    with torch.autocast('cpu', dtype=dtype):
        out = module(feats)
    assert all(o.isfinite().all() for o in out)


def test_samples_in_bfloat16_where_nothing_learns():
    module, x = DyConv(16).branches[1], torch.randn(2, 16, 9, 7)
    arguments = x, 2 * torch.randn(2, 18, 9, 7), torch.rand(2, 9, 9, 7)
    wanted = module(*arguments)
    with torch.autocast('cpu', torch.bfloat16):
        learned = module(*arguments)
        with torch.no_grad():
            predicted = module(*arguments)
    assert torch.equal(learned, wanted)
    assert not torch.equal(predicted, wanted)
    assert predicted.dtype == torch.bfloat16  # and so are the maps of the tower
    torch.testing.assert_close(predicted.float(), wanted, rtol=0,
                               atol=0.02 * wanted.std().item() + 0.01)


@pytest.mark.gpu
def test_gpu_equals_cpu():
    module = DyConv(16)
    feats = [torch.randn(1, 16, h, w) for h, w in [(8, 8), (4, 4)]]
    wanted = module(feats)
    got = module.cuda()([f.cuda() for f in feats])
    for g, w in zip(got, wanted):
        torch.testing.assert_close(g.cpu(), w, rtol=1e-3, atol=1e-3)


def test_maps_that_are_rounded_down_are_refused():
    conv = DyConv(16)
    fine, up, down = (torch.zeros(1, 16, *size) for size in ((7, 9), (4, 5), (3, 4)))
    assert [x.shape for x in conv([fine, up])] == [fine.shape, up.shape]
    with pytest.raises(ValueError, match='9 x 7 cells is followed by one of 4 x 3; .* needs 5 x 4'):
        conv([fine, down])
