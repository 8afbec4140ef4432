import copy
import pickle

import pytest
import torch
from mmcv.cnn.bricks.transformer import FFN
from torch import nn

from glip_mm.models.layers import feed_forward
from glip_mm.models.layers.feed_forward import speed_up_feed_forward
from glip_mm.ops import matrix_products
from glip_mm.ops.fast_paths import plain
from glip_mm.ops.matrix_products import speed_up_linear


@pytest.fixture
def model():
    torch.manual_seed(0)
    return speed_up_linear(speed_up_feed_forward(nn.Sequential(FFN(
        24, 96, act_cfg=dict(type='GELU'), dropout_layer=dict(type='DropPath', drop_prob=0.5)))))


@pytest.fixture
def blocks(monkeypatch):
    """Counts the blocks that go through the fast path; 40 rows are one."""
    calls = []
    real = feed_forward.linear_gelu
    monkeypatch.setattr(feed_forward, 'linear_gelu', lambda *a: calls.append(1) or real(*a))
    monkeypatch.setattr(feed_forward, 'HIDDEN', 40 * 96)
    return calls


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, 'autocast'])
@pytest.mark.parametrize('onednn', [True, False])
def test_equals_mmcvs(model, blocks, monkeypatch, dtype, onednn):
    if not onednn:
        monkeypatch.setattr(matrix_products, 'ONEDNN_LINEAR', None)
    autocast = dtype == 'autocast'
    dtype = torch.float32 if autocast else dtype
    model.eval().to(dtype)
    x, identity = torch.randn(2, 55, 24, dtype=dtype), torch.randn(2, 55, 24, dtype=dtype)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        for arguments in ((x,), (x, identity)):
            got = model[0](*arguments)
            with plain('feed_forward'):
                wanted = model[0](*arguments)
            assert got.dtype == wanted.dtype
            exact = dict(rtol=1e-5, atol=1e-5)
            close = exact if dtype == torch.float32 and not autocast else dict(rtol=.02, atol=.02)
            torch.testing.assert_close(got, wanted, **close)
    assert len(blocks) == 2 * 3


def hooked(model):
    model[0].layers[0][0].register_forward_hook(lambda *a: None)


def replaced(model):
    model[0].layers[1] = nn.Sequential(model[0].layers[1], nn.Identity())


def another_activation(model):
    model[0].layers[0][1] = nn.ReLU()


def approximate(model):
    model[0].layers[0][1] = nn.GELU('tanh')


def own_forward(model):
    model[0].layers[1].forward = torch.nn.Linear(96, 24).forward


def own_path(model):
    model[0].dropout_layer = nn.Hardtanh()


def hooked_path(model):
    model[0].dropout_layer.register_forward_hook(lambda *a: None)


def drops_out(model):
    model[0].layers[2].train()


@pytest.mark.parametrize('change', [hooked, replaced, another_activation, approximate, own_forward,
                                    own_path, hooked_path, drops_out])
def test_what_was_changed_takes_mmcvs_steps(model, blocks, change):
    change(model.eval())
    with torch.no_grad():
        model(torch.randn(50, 24))
    assert not blocks


def test_what_learns_takes_mmcvs_steps(model, blocks):
    model.train()(torch.randn(50, 24)).sum().backward()
    model.eval()(torch.randn(50, 24)).sum().backward()
    assert not blocks and model[0].layers[1].weight.grad is not None


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_its_own_weights(model, blocks, copied):
    other, x = copied(model.eval()), torch.randn(50, 24)
    nn.init.zeros_(model[0].layers[1].weight)
    with torch.no_grad():
        assert not torch.equal(other(x), model(x))
    assert blocks


def test_a_network_of_another_package_stays_as_it_is(model):
    class Theirs(FFN):
        """A class of another package."""

    theirs = speed_up_feed_forward(nn.Sequential(Theirs(24, 96)))
    assert 'forward' not in vars(theirs[0]) and 'forward' in vars(model[0])
