import pytest
import torch
from mmdet.models.backbones.swin import ShiftWindowMSA, SwinTransformer
from mmdet.models.layers import PatchMerging
from torch import nn

from glip_mm.deploy.portable import _replace
from glip_mm.deploy.swin import PortablePatchMerging, PortableWindowAttention


@pytest.mark.parametrize('shift', [0, 3])
@pytest.mark.parametrize('size', [(14, 21), (13, 9), (3, 20)])
def test_window_attention(shift, size):
    torch.manual_seed(0)
    original = ShiftWindowMSA(16, 2, 7, shift).eval()
    nn.init.normal_(original.w_msa.relative_position_bias_table)
    x = torch.randn(2, size[0] * size[1], 16)
    with torch.no_grad():
        torch.testing.assert_close(PortableWindowAttention(original)(x, size), original(x, size))


def test_patch_merging():
    torch.manual_seed(0)
    original = PatchMerging(8, 16)
    x = torch.randn(2, 24, 8)
    got, size = PortablePatchMerging(original)(x, (4, 6))
    wanted, wanted_size = original(x, (4, 6))
    torch.testing.assert_close(got, wanted)
    assert size == wanted_size == (2, 3)


def test_other_merging_is_refused():
    with pytest.raises(ValueError, match=r'\(3, 3\)'):
        PortablePatchMerging(PatchMerging(8, 16, kernel_size=3))


def test_whole_backbone():
    torch.manual_seed(0)
    backbone = SwinTransformer(embed_dims=8, depths=(2, 2, 2, 2), num_heads=(1, 1, 2, 2))
    backbone.eval()  # MMDetection's returns None
    x = torch.randn(1, 3, 96, 160)
    with torch.no_grad():
        wanted = backbone(x)
        _replace(backbone)
        for got, level in zip(backbone(x), wanted):
            torch.testing.assert_close(got, level)
