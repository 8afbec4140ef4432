import torch

from glip_mm.models.layers import BiAttention
from glip_mm.models.layers.tiled_attention import (
    TILE_SCORES,
    random_mask,
    tiled_two_way_attention,
)
from glip_mm.ops.fast_paths import plain


def largest_tensor(function):
    sizes = []

    class Spy(torch.utils._python_dispatch.TorchDispatchMode):

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for t in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(t, torch.Tensor):
                    sizes.append(t.numel())
            return out

    with Spy():
        function()
    return max(sizes)


def test_no_tensor_of_visual_tokens_times_embed_dim(monkeypatch):
    module = BiAttention(visual_dim=12, language_dim=20, embed_dim=32, num_heads=4)
    visual, text = torch.randn(2, 2509, 12, requires_grad=True), torch.randn(2, 7, 20)
    mask = torch.ones(2, 7, dtype=torch.bool)

    def step():
        sum(x.sum() for x in module(visual, text, mask)).backward()

    with plain('all'):  # all scores
        assert largest_tensor(step) == 2 * 4 * 7 * 2509 < 2 * 2509 * 32
    # those of one image fit one tile
    assert largest_tensor(step) == 4 * 7 * 2509
    # the visual tokens themselves
    monkeypatch.setitem(TILE_SCORES, 'cpu', 4 * 7 * 100)
    assert largest_tensor(step) == 2 * 2509 * 12


def test_gradients_with_dropout():
    # the masks of a seed do not depend on the arguments: finite differences see a smooth function
    torch.manual_seed(0)
    shapes = (2, 30, 12), (2, 28, 12), (2, 28), (2, 28, 12), (12,)
    args = [torch.randn(s, dtype=torch.double, requires_grad=True) for s in shapes]
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3]).bool()

    def function(*args):
        torch.manual_seed(3)
        return tiled_two_way_attention(*args, mask, 4, dropout=0.3)

    assert (function(*args)[2].detach() - 1).abs().max() > 0.01  # it did act
    assert torch.autograd.gradcheck(function, args, fast_mode=True)


def test_the_number_of_tiles_changes_nothing(monkeypatch):
    torch.manual_seed(0)
    args = [torch.randn(*s) for s in ((1, 300, 12), (1, 28, 12), (1, 28), (1, 28, 12), (12,))]
    mask = torch.ones(1, 7, dtype=torch.bool)
    whole = tiled_two_way_attention(*args, mask, 4)
    monkeypatch.setitem(TILE_SCORES, 'cpu', 28 * 64)
    for a, b in zip(whole, tiled_two_way_attention(*args, mask, 4)):
        torch.testing.assert_close(a, b)


def test_scores_beyond_the_clamp_get_no_gradient():
    visual = torch.full((1, 40, 4), 400.)
    keys = torch.full((1, 4, 4), 400., requires_grad=True)
    args = visual, keys, torch.zeros(1, 4), torch.randn(1, 4, 4), torch.zeros(4)
    out, _, _ = tiled_two_way_attention(*args, torch.ones(1, 2, dtype=torch.bool), 2)
    assert out.isfinite().all()
    out.square().sum().backward()
    assert (keys.grad == 0).all()


def test_random_masks():
    generator = torch.Generator().manual_seed(1)
    like = torch.empty(501, 999)
    first, second = (random_mask(like, 0.9, generator) for _ in range(2))
    assert first.shape == like.shape and first.dtype == torch.bool
    for mask in (first, second):
        assert abs(mask.float().mean() - 0.9) < 5 * (0.09 / like.numel())**0.5
    both = (first & second).float().mean()  # independent of each other, and of the neighbour
    assert abs(both - 0.81) < 5 * (0.81 * 0.19 / like.numel())**0.5
    near = (first[:, 1:] & first[:, :-1]).float().mean()
    assert abs(near - 0.81) < 5 * (0.81 * 0.19 / like.numel())**0.5
    assert torch.equal(first, random_mask(like, 0.9, torch.Generator().manual_seed(1)))
    assert random_mask(like, 1.0, generator).all()
