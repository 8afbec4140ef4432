import pytest
import torch

from glip_mm.models.layers import BiAttention, tiled_attention
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


@pytest.mark.parametrize('dropout', [0., 0.3])
@pytest.mark.parametrize('padded', [False, True])
@pytest.mark.parametrize('spread', [1., 200.])
def test_one_exponential_for_both_directions_where_scores_are_small(monkeypatch, spread, padded,
                                                                    dropout):
    """With the first tile's scores small, and those of the second as well or far from it."""
    torch.manual_seed(0)
    shapes = (1, 128, 12), (1, 28, 12), (1, 28), (1, 28, 12), (12,)
    args = [torch.randn(s, dtype=torch.double) for s in shapes]
    args[0][:, 64:] *= spread
    args = [x.requires_grad_() for x in args]
    mask = torch.tensor([[1] * 5 + [0 if padded else 1] * 2]).bool()
    monkeypatch.setitem(TILE_SCORES, 'cpu', 28 * 64)
    taken = []
    real = tiled_attention.all_small
    monkeypatch.setattr(tiled_attention, 'all_small',
                        lambda scores: taken.append(real(scores)) or taken[-1])

    def results():
        torch.manual_seed(3)
        outs = tiled_two_way_attention(*args, mask, 4, dropout=dropout)
        return [*outs, *torch.autograd.grad(sum(x.square().sum() for x in outs), args)]

    got = results()
    assert taken == [True, spread == 1] * 2  # forward and backward
    monkeypatch.setattr(tiled_attention, 'all_small', lambda scores: False)
    for a, b in zip(got, results()):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('worst', [torch.nan, torch.inf, -torch.inf, 61., -61.])
def test_scores_that_are_not_small(worst):
    scores = torch.zeros(3, 4)
    assert tiled_attention.all_small(scores)
    scores[1, 2] = worst
    assert not tiled_attention.all_small(scores)


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


@pytest.mark.parametrize('dtype, off', [(torch.float16, 0.02), (torch.bfloat16, 0.2)])
@pytest.mark.parametrize('how', ['autocast', 'converted'])
def test_scores_whose_exponentials_leave_the_range_of_float16(dtype, off, how):
    torch.manual_seed(0)
    module = BiAttention(12, 20, 32, 4, dropout=0.).eval()
    visual, text, mask = torch.randn(1, 90, 12), torch.randn(1, 7, 20), torch.ones(1, 7).bool()
    with torch.no_grad():
        module.v_proj.weight.mul_(8)
        keys, _, _ = module._text_side(module.layer_norm_l(text))
        scores = keys @ module.layer_norm_v(visual).transpose(1, 2)
        assert 12 < scores.max() < tiled_attention.SMALL_SCORE
        if how == 'converted':
            module, visual, text = module.to(dtype), visual.to(dtype), text.to(dtype)
        with torch.autocast('cpu', dtype, enabled=how == 'autocast'):
            got = module(visual, text, mask)
            with plain('fusion'):
                wanted = module(visual, text, mask)
    for a, b in zip(got, wanted):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=off, atol=off)


def test_dropout_of_everything():
    module = BiAttention(12, 20, 32, 4, dropout=1.).train()
    args = torch.randn(1, 90, 12), torch.randn(1, 7, 20), torch.ones(1, 7).bool()
    got = module(*args)
    with plain('fusion'):
        torch.testing.assert_close(got, module(*args))


@pytest.mark.parametrize('change', ['hooked', 'replaced', 'on by itself'])
def test_a_dropout_that_was_changed_acts(change):
    module, calls = BiAttention(12, 20, 32, 4, dropout=0.5).eval(), []
    if change == 'replaced':
        module.dropout = torch.nn.Sequential()
    module.dropout.register_forward_hook(lambda *a: calls.append(1))
    if change == 'on by itself':
        module.dropout = torch.nn.Dropout(0.5).train()
    args = torch.randn(1, 90, 12), torch.randn(1, 7, 20), torch.ones(1, 7).bool()
    first, second = module(*args), module(*args)
    assert torch.equal(first[1], second[1]) == (change != 'on by itself')
    assert len(calls) == (0 if change == 'on by itself' else 4)
