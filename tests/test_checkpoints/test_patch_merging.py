import pytest
import torch

from glip_mm.checkpoints.patch_merging import to_pixel_order, to_unfold_order


@pytest.mark.parametrize('shape', [(24,), (12, 24)])
def test_orders_are_inverse(shape):
    value = torch.randn(shape)
    assert torch.equal(to_pixel_order(to_unfold_order(value)), value)
    assert torch.equal(to_unfold_order(to_pixel_order(value)), value)


def test_both_orders_merge_patches_alike():
    """The official concatenation and MMDetection's unfold give the same merged pixels."""
    channels, x = 3, torch.randn(1, 3, 4, 6)
    weight, norm = torch.randn(5, 4 * channels), torch.randn(4 * channels)
    official = torch.cat([x[:, :, r::2, c::2] for c in (0, 1) for r in (0, 1)], dim=1)
    unfolded = torch.nn.functional.unfold(x, 2, stride=2).view(1, 4 * channels, 2, 3)
    ours = torch.einsum('oc,bchw->bohw', to_unfold_order(weight),
                        unfolded * to_unfold_order(norm)[:, None, None])
    theirs = torch.einsum('oc,bchw->bohw', weight, official * norm[:, None, None])
    assert torch.allclose(ours, theirs, atol=1e-5)
    # and the order matters
    assert not torch.equal(to_unfold_order(weight), weight)
