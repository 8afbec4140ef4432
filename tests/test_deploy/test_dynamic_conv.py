import copy

import pytest
import torch
from mmcv.ops import modulated_deform_conv2d as mmcv_op

from glip_mm.models.layers import DyConv
from glip_mm.ops.deform_conv import view_at_size
from glip_mm.ops.sampled_deform_conv import sampled_deform_conv2d


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [(9, 7), (4, 4), (1, 5), (1, 1)])
def test_equals_mmcv(stride, size):
    torch.manual_seed(0)
    x = torch.randn(2, 6, *size)
    out_size = [(s + stride - 1) // stride for s in size]
    offset = torch.randn(2, 18, *out_size) * 3  # often outside the image
    mask = torch.rand(2, 9, *out_size)
    weight, bias = torch.randn(5, 6, 3, 3), torch.randn(5)
    got = sampled_deform_conv2d(x, offset, mask, weight, bias, stride)
    wanted = mmcv_op(x, offset, mask, weight, bias, stride, 1, 1, 1, 1)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_equals_mmcv_with_offsets_of_another_level():
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, 3)
    offset, mask = torch.randn(2, 18, 8, 6), torch.rand(2, 9, 8, 6)
    weight, bias = torch.randn(5, 6, 3, 3), torch.randn(5)
    got = sampled_deform_conv2d(x, view_at_size(offset, (4, 3)), view_at_size(mask, (4, 3)),
                                weight, bias, 1)
    # MMCV reads the memory of larger maps by itself, one image at a time
    wanted = torch.cat([mmcv_op(x[i:i + 1], offset[i:i + 1], mask[i:i + 1], weight, bias, 1, 1, 1,
                                1, 1) for i in range(2)])
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_block_equals_original():
    torch.manual_seed(0)
    block = DyConv(32).eval()
    torch.nn.init.normal_(block.offset.weight, std=0.1)
    feats = [torch.randn(2, 32, *size) for size in ((13, 21), (7, 11), (4, 6), (2, 3))]
    portable = copy.deepcopy(block)
    for branch in portable.branches:
        branch.implementation = 'grid_sample'
    with torch.no_grad():
        for got, wanted in zip(portable(feats), block(feats)):
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
