import pytest
import torch

from glip_mm.models.layers import BiAttention, tiled_attention
from glip_mm.models.layers.tiled_attention import TILE_SCORES
from glip_mm.ops.fast_paths import plain


def textbook(module: BiAttention, visual, text, mask):
    """The published formulation, with every projection on the visual side."""
    heads, width = module.num_heads, module.head_dim
    visual, text = module.layer_norm_v(visual), module.layer_norm_l(text)

    def split(x):
        return x.unflatten(-1, (heads, width)).transpose(1, 2)  # [B, H, n, d]

    queries = split(module.v_proj(visual)) / width**0.5
    scores = queries @ split(module.l_proj(text)).transpose(-1, -2)  # [B, H, N, L]
    to_visual = scores.masked_fill(~mask[:, None, None], -1e9).softmax(-1)
    to_text = scores.transpose(-1, -2).softmax(-1)
    visual_update = to_visual @ split(module.values_l_proj(text))
    text_update = to_text @ split(module.values_v_proj(visual))
    visual_update = module.out_v_proj(visual_update.transpose(1, 2).flatten(2))
    text_update = module.out_l_proj(text_update.transpose(1, 2).flatten(2))
    return visual + module.gamma_v * visual_update, text + module.gamma_l * text_update


@pytest.fixture
def setting():
    torch.manual_seed(0)
    module = BiAttention(visual_dim=12, language_dim=20, embed_dim=32, num_heads=4).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    visual = torch.randn(2, 30, 12, dtype=torch.double)
    text = torch.randn(2, 7, 20, dtype=torch.double)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3]).bool()
    return module, visual, text, mask


@pytest.fixture(params=['tiles', 'one tile', 'plain'], autouse=True)
def path(request, monkeypatch):
    """Everything below holds for each way to compute it."""
    if request.param == 'tiles':
        monkeypatch.setitem(TILE_SCORES, 'cpu', 1)
        monkeypatch.setattr(tiled_attention, 'MIN_TILE', 7)
    with plain(*['fusion'] * (request.param == 'plain')):
        yield


@pytest.fixture
def float64_text_side(monkeypatch):
    # the text side is float32 whatever the input; compare in float64 for tight tolerances
    monkeypatch.setattr(torch.Tensor, 'float', lambda self: self)


def test_equals_textbook_formulation(setting, float64_text_side):
    module, *inputs = setting
    module.eval()
    for got, wanted in zip(module(*inputs), textbook(module, *inputs)):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


def test_gradients_equal_textbook_formulation(setting, float64_text_side):
    module, visual, text, mask = setting
    module.eval()

    def gradients(function):
        module.zero_grad()
        v, t = visual.clone().requires_grad_(), text.clone().requires_grad_()
        out_v, out_t = function(v, t, mask)
        (out_v.square().sum() + (out_t.square() * mask[..., None]).sum()).backward()
        return [v.grad, t.grad, *(p.grad.clone() for p in module.parameters())]

    ours = gradients(module)
    wanted = gradients(lambda *args: textbook(module, *args))
    for got, want in zip(ours, wanted):
        torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-8)


def test_padding_changes_nothing_for_real_tokens(setting):
    module, visual, text, mask = setting
    module, visual, text = module.float().eval(), visual.float(), text.float()
    full_v, full_t = module(visual[1:], text[1:], mask[1:])
    cropped_v, cropped_t = module(visual[1:], text[1:, :4], mask[1:, :4])
    torch.testing.assert_close(full_v, cropped_v, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(full_t[:, :4], cropped_t, rtol=1e-5, atol=1e-5)


def test_dropout_on_weights_keeps_the_mean(setting):
    module, visual, text, mask = setting
    module, visual, text = module.float(), visual.float(), text.float()
    module.eval()
    wanted_v, wanted_t = module(visual, text, mask)
    module.train()
    module.dropout.p = 0.1
    runs = [module(visual, text, mask) for _ in range(400)]
    mean_t = torch.stack([r[1] for r in runs]).mean(0)
    spread = torch.stack([r[1] for r in runs]).std(0) / 20
    assert ((mean_t - wanted_t).abs() < 6 * spread + 1e-4).all()
    assert spread.max() > 0


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_is_finite_and_close(setting, dtype):
    module, visual, text, mask = setting
    module, visual, text = module.float().eval(), visual.float(), text.float()
    wanted = module(visual, text, mask)
    with torch.autocast('cpu', dtype=dtype):
        got = module(visual, text, mask)
    for g, w in zip(got, wanted):
        assert g.isfinite().all()
        assert (g.float() - w).abs().max() < 0.05 * w.abs().max()


def test_a_prediction_in_bfloat16_is_as_close_as_training(setting):
    module, visual, text, mask = setting
    module, visual, text = module.float().eval(), visual.float(), text.float()
    wanted = module(visual, text, mask)
    with torch.autocast('cpu', torch.bfloat16):
        learned = module(visual, text, mask)
        with torch.no_grad():
            predicted = module(visual, text, mask)
    for w, a, b in zip(wanted, learned, predicted):
        error, low = (a - w).norm() / w.norm(), (b - w).norm() / w.norm()
        assert 0 < low < 1.5 * error + 1e-3


def test_heads_must_divide_width():
    with pytest.raises(ValueError, match='embed_dim 30 is no multiple of num_heads 4'):
        BiAttention(8, 8, embed_dim=30, num_heads=4)
