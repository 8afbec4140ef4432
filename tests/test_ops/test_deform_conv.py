import numpy as np
import pytest
import torch
from mmcv.ops import modulated_deform_conv2d as mmcv_op

from glip_mm.compat import has_mmcv_ops
from glip_mm.ops.deform_conv import deform_conv2d, view_at_size

from .reference import GEOMETRIES, STORED, arguments, convolve

CASES = pytest.mark.parametrize('name', GEOMETRIES)


def with_gradients(function, tensors):
    """Output and gradients of a sum of it with fixed factors."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    out = function(*leaves)
    factors = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    return [out.detach(), *torch.autograd.grad((out * factors).sum(), leaves)]


@CASES
def test_equals_the_formula(name):
    geometry = GEOMETRIES[name]
    tensors = arguments(geometry, 3, torch.float64)
    torch.testing.assert_close(deform_conv2d(*tensors, *geometry[2:]),
                               convolve(*tensors, *geometry[2:]))


@pytest.mark.parametrize('name', ['uneven', 'groups', 'depthwise', 'pixel'])
def test_gradients_are_those_of_the_function(name):
    geometry = GEOMETRIES[name]
    tensors = [t.requires_grad_() for t in arguments(geometry, 4, torch.float64)]
    assert torch.autograd.gradcheck(lambda *args: deform_conv2d(*args, *geometry[2:]), tensors,
                                    fast_mode=True)


def test_training_keeps_no_copy_of_the_weight():
    geometry = GEOMETRIES['uneven']
    tensors = [t.requires_grad_() for t in arguments(geometry, 5, torch.float64)]
    weight, kept = tensors[3], []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        deform_conv2d(*tensors, *geometry[2:])
    alike = [t for t in kept if t.numel() == weight.numel()]
    assert alike and all(t.untyped_storage().data_ptr() == weight.untyped_storage().data_ptr()
                         for t in alike)


@pytest.mark.parametrize('name', [name for name in GEOMETRIES if name != 'depthwise'])
def test_stored_outputs_of_mmcvs_compiled_operator(name):
    stored, geometry = np.load(STORED), GEOMETRIES[name]
    got = with_gradients(lambda *args: deform_conv2d(*args, *geometry[2:]), arguments(geometry, 7))
    for key, value in zip(('out', 'input', 'offset', 'mask', 'weight', 'bias'), got):
        np.testing.assert_allclose(value.numpy(), stored[f'{name}.{key}'], rtol=1e-4, atol=1e-4)


@CASES
def test_through_mmcvs_wrapper(name):
    """With the compiled operator this compares the two; without it, the two ways to ours."""
    geometry = GEOMETRIES[name]
    tensors = arguments(geometry, 8)
    ours = with_gradients(lambda *args: deform_conv2d(*args, *geometry[2:]), tensors)
    theirs = with_gradients(lambda *args: mmcv_op(*args, *geometry[2:]), tensors)
    for got, wanted in zip(ours, theirs):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_an_offset_that_is_not_a_number_spoils_its_pixel_alone():
    geometry = GEOMETRIES['glip']
    x, offset, *rest = arguments(geometry, 5)
    wanted = deform_conv2d(x, offset, *rest, *geometry[2:])
    offset[1, 4, 2, 3] = torch.nan
    got = deform_conv2d(x, offset, *rest, *geometry[2:])
    assert got[1, :, 2, 3].isnan().all() and got.isnan().sum() == 3
    torch.testing.assert_close(got[0], wanted[0])


@pytest.mark.parametrize('axis', [0, 1])
def test_a_point_exactly_one_pixel_outside_has_no_gradient(axis):
    """As in MMCV's kernel, compiled or not."""
    x, mask, weight = torch.randn(1, 2, 4, 4), torch.ones(1, 1, 4, 4), torch.randn(3, 2, 1, 1)
    offset = torch.full((1, 2, 4, 4), 0.25)
    offset[0, axis, 0, 0] = -1.
    for way in (deform_conv2d, mmcv_op):
        leaf = offset.clone().requires_grad_()
        way(x, leaf, mask, weight, torch.zeros(3), (1, 1), (0, 0)).sum().backward()
        assert (leaf.grad[0, :, 0, 0] == 0).all() and (leaf.grad[0, :, 1, 1] != 0).all()


def test_offsets_of_a_larger_map_are_read_from_its_leading_memory():
    """As GLIP and MMDetection's DyHead give them; both operators."""
    x, weight, bias = torch.randn(2, 4, 3, 3), torch.randn(5, 4, 3, 3), torch.randn(5)
    offset, mask = torch.randn(2, 18, 6, 5), torch.rand(2, 9, 6, 5)
    cut = with_gradients(
        lambda x, offset, mask: deform_conv2d(x, view_at_size(offset, (3, 3)),
                                              view_at_size(mask, (3, 3)), weight, bias,
                                              (1, 1), (1, 1)), (x, offset, mask))
    whole = with_gradients(
        lambda x, offset, mask: mmcv_op(x, offset, mask, weight, bias, 1, 1), (x, offset, mask))
    for got, wanted in zip(whole, cut):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(has_mmcv_ops(), reason='MMCV has compiled operators here')
def test_wrapper_without_bias():
    geometry = GEOMETRIES['groups']
    *tensors, bias = arguments(geometry, 9)
    got = mmcv_op(*tensors, None, *geometry[2:])
    torch.testing.assert_close(got, deform_conv2d(*tensors, torch.zeros_like(bias), *geometry[2:]))


@pytest.mark.gpu
@CASES
def test_on_a_gpu(name):
    geometry = GEOMETRIES[name]
    tensors = arguments(geometry, 10)
    ours = with_gradients(lambda *args: deform_conv2d(*args, *geometry[2:]), tensors)
    for way in (deform_conv2d, mmcv_op):
        there = with_gradients(lambda *args: way(*args, *geometry[2:]),  # noqa: B023
                               [tensor.cuda() for tensor in tensors])
        for got, wanted in zip(there, ours):
            torch.testing.assert_close(got.cpu(), wanted, rtol=1e-4, atol=1e-4)


def test_backward_inside_autocast():
    """What a training step does whose loss is differentiated before autocast ends."""
    geometry = GEOMETRIES['glip']
    tensors = arguments(geometry, 11)
    wanted = with_gradients(lambda *args: mmcv_op(*args, *geometry[2:]), tensors)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        for way in (mmcv_op, deform_conv2d):
            got = with_gradients(lambda *args: way(*args, *geometry[2:]), tensors)  # noqa: B023
            for one, other in zip(got, wanted):
                assert one.dtype == torch.float32
                torch.testing.assert_close(one, other, rtol=0.05, atol=0.15)


@pytest.mark.parametrize('weight, offset, mask, groups', [
    ((4, 1, 3, 3), 18, 9, 3), ((4, 2, 3, 3), 18, 9, 4), ((4, 2, 3, 3), 18, 9, 1),
    ((4, 3, 3, 3), 18, 9, 1), ((4, 4, 3, 3), 16, 9, 1), ((4, 4, 3, 3), 18, 8, 1)])
def test_channels_that_do_not_fit(weight, offset, mask, groups):
    x = torch.randn(1, 4, 6, 6)
    arguments = torch.randn(1, offset, 6, 6), torch.randn(1, mask, 6, 6), torch.randn(weight)
    with pytest.raises(ValueError, match=r'input \[1, 4, 6, 6\].* do not fit'):
        deform_conv2d(x, *arguments, torch.zeros(4), (1, 1), (1, 1), groups=groups)
