import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import Linear as MMCVLinear
from torch import nn
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from glip_mm.ops import matrix_products
from glip_mm.ops.fast_paths import FAST_PATHS, is_fast, plain
from glip_mm.ops.matrix_products import (
    Float32Linear,
    linear,
    linear_gelu,
    speed_up_linear,
    transposed_product,
)


@pytest.fixture
def products(monkeypatch):
    """Counts the products that oneDNN computes."""
    calls = []
    real = matrix_products.ONEDNN_LINEAR
    monkeypatch.setattr(matrix_products, 'ONEDNN_LINEAR',
                        lambda *a: calls.append(1) or real(*a))
    return calls


@pytest.mark.parametrize('shape', [(40, 24), (3, 50, 24), (2, 3, 7, 24)])
def test_linear_equals_pytorch(products, shape):
    torch.manual_seed(0)
    x = torch.randn(shape, requires_grad=True)
    layer = nn.Linear(24, 10)
    wanted = layer(x)
    wanted_grads = torch.autograd.grad(wanted.square().sum(), (x, *layer.parameters()))
    for bias in (layer.bias, None):
        got = linear(x, layer.weight, bias)
        torch.testing.assert_close(got, F.linear(x, layer.weight, bias))
    got = linear(x, layer.weight, layer.bias)
    assert len(products) == 3
    grads = torch.autograd.grad(got.square().sum(), (x, *layer.parameters()))
    for a, b in zip(grads, wanted_grads):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert len(products) > 3
    frozen = torch.autograd.grad(linear(x, layer.weight.detach()).sum(), x)
    torch.testing.assert_close(frozen[0], layer.weight.sum(dim=0).expand(shape))


@pytest.mark.parametrize('columns', [50, 600])
def test_transposed_product(products, columns):
    a, b = torch.randn(40, columns), torch.randn(40, 33)
    torch.testing.assert_close(transposed_product(a, b), a.t() @ b, rtol=1e-4, atol=1e-4)
    assert len(products) == 1


def test_what_is_not_float32_goes_to_pytorch(products):
    x, weight = torch.randn(40, 24), torch.randn(10, 24)
    linear(x.double(), weight.double())
    linear(x[:3], weight)
    transposed_product(x.double(), x.double())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert linear(x, weight).dtype == torch.bfloat16
    with plain('matrix_products'):
        linear(x, weight)
    assert not products


def test_a_trace_holds_operators_that_other_runtimes_know():
    layer = speed_up_linear(nn.Sequential(nn.Linear(24, 10)))
    graph = str(torch.jit.trace(layer, torch.randn(40, 24)).inlined_graph)
    assert 'aten::linear' in graph and 'mkldnn' not in graph


def test_pytorchs_counter_sees_the_products(products):
    x, layer = torch.randn(40, 24, requires_grad=True), nn.Linear(24, 50)
    with FlopCounterMode(display=False) as counter:
        linear(x, layer.weight, layer.bias).sum().backward()
    assert products and counter.get_total_flops() == 3 * 2 * 40 * 24 * 50


def test_layers_keep_their_names(products):
    model = nn.Sequential(nn.Linear(24, 10), nn.Sequential(MMCVLinear(10, 3)), nn.Conv2d(3, 3, 1))
    names, x = list(model.state_dict()), torch.randn(40, 24)
    wanted = model[1](model[0](x))
    speed_up_linear(model)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model[1](model[0](x)), wanted)
    assert len(products) == 2
    assert {type(module) for module in (model[0], model[1][0])} == {nn.Linear}


class Theirs(nn.Module):
    """A module of another package."""

    def __init__(self):
        super().__init__()
        self.layer, self.old = nn.Linear(24, 10), MMCVLinear(10, 3)

    def forward(self, x):
        return self.old(self.layer(x))


def test_modules_of_others_stay_as_they_are(products):
    model = nn.Sequential(Theirs(), nn.Linear(3, 3))
    before = dict(model.named_modules())
    speed_up_linear(model)
    assert dict(model.named_modules()) == before
    assert not any('forward' in vars(part) for part in model[0].modules())
    model(torch.randn(40, 24))
    assert len(products) == 1


def test_parameters_of_a_replaced_layer_are_its_own():
    model = nn.Sequential(nn.Sequential(MMCVLinear(10, 3, bias=False))).eval()
    weight = model[0][0].weight
    speed_up_linear(model)
    assert model[0][0].weight is weight and model[0][0].bias is None
    assert not model[0][0].training


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_of_a_fast_layer_multiplies_by_its_own_weights(products, copied):
    layer, x = speed_up_linear(nn.Sequential(nn.Linear(24, 10)))[0], torch.randn(40, 24)
    other = copied(layer)
    nn.init.zeros_(layer.weight)
    assert not torch.equal(other(x), layer(x))
    assert len(products) == 2


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_float32_whatever_the_type_of_weights_and_autocast(dtype):
    layer, x = Float32Linear(24, 10).to(dtype), torch.randn(40, 24).to(dtype)
    wanted = F.linear(x.float(), layer.weight.float(), layer.bias.float())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        torch.testing.assert_close(layer(x), wanted)


def test_switches():
    assert all(is_fast(name) for name in FAST_PATHS)
    with plain('fusion'), plain('all'):
        assert not any(is_fast(name) for name in FAST_PATHS)
        with plain('fusion'):
            pass
        assert not is_fast('fusion')
    assert all(is_fast(name) for name in FAST_PATHS)
    with pytest.raises(ValueError, match=r"names \['fuse'\]; there are fast paths of"):
        with plain('fuse'):
            pass


@pytest.mark.parametrize('bias', [torch.arange(20.)[::2], torch.ones(1), torch.ones(1, 10),
                                  torch.tensor(2.)], ids=['strided', 'one', 'row', 'number'])
def test_a_bias_of_another_kind_goes_to_pytorch(products, bias):
    x, weight = torch.randn(40, 24), torch.randn(10, 24)
    torch.testing.assert_close(linear(x, weight, bias), F.linear(x, weight, bias))
    torch.testing.assert_close(linear_gelu(x, weight, bias), F.gelu(F.linear(x, weight, bias)))
    assert not products


def test_derivatives_of_other_kinds_are_pytorchs(products):
    x, weight, bias = torch.randn(40, 24), torch.randn(10, 24), torch.randn(10)
    tangent = torch.func.jvp(lambda x: linear(x, weight, bias), (x,), (x,))[1]
    torch.testing.assert_close(tangent, F.linear(x, weight))
    with forward_ad.dual_level():
        out = linear(forward_ad.make_dual(x, x), weight, bias)
        torch.testing.assert_close(forward_ad.unpack_dual(out).tangent, F.linear(x, weight))
    grad = torch.func.grad(lambda x: linear(x, weight, bias).sum())(x)
    torch.testing.assert_close(grad, weight.sum(dim=0).expand(40, 24))
    assert not products


def test_a_layer_with_a_forward_of_its_own_keeps_it():
    layers = nn.Sequential(nn.Linear(24, 10), MMCVLinear(24, 10))
    for layer in layers:
        layer.forward = lambda x: x
    speed_up_linear(layers)
    x = torch.randn(40, 24)
    assert layers(x) is x and type(layers[1]) is MMCVLinear
