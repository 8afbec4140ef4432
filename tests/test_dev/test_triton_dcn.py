"""Kernels against MMCV's operation: in Triton's interpreter on a CPU, and compiled on a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmcv.ops import modulated_deform_conv2d as mmcv_op

INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
interpreted = pytest.mark.skipif(not INTERPRETED, reason='run by test_in_the_interpreter')


def leaves(channels, outputs, size, stride, batch=1, device='cpu', dtype=torch.float32):
    """Input, offset, mask, weight and bias with values that ``dtype`` can hold."""
    torch.manual_seed(0)
    out_size = [-(-s // stride) for s in size]
    offset = torch.randn(batch, 18, *out_size) * 3  # often outside the image
    offset[:, ::5] = 0  # taps of the border at -1 exactly
    made = (torch.randn(batch, channels, *size), offset, torch.rand(batch, 9, *out_size),
            torch.randn(outputs, channels, 3, 3) / (9 * channels)**.5, torch.randn(outputs))
    return [t.to(dtype).float().to(device).requires_grad_() for t in made]


def compare(args, stride, dtype=torch.float32, tolerance=1e-4):
    from dev.speed.triton_dcn import triton_deform_conv2d
    wanted = mmcv_op(*args, stride, 1, 1, 1, 1)
    got = triton_deform_conv2d(args[0].to(dtype), *args[1:], stride)
    probe = torch.randn_like(wanted).to(dtype).float()
    pairs = [(got, wanted), *zip(torch.autograd.grad(got, args, probe),
                                 torch.autograd.grad(wanted, args, probe))]
    for ours, theirs in pairs:
        scale = theirs.abs().max().clamp(min=1)
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance)


@interpreted
@pytest.mark.parametrize('channels, outputs, size, stride, batch', [
    (16, 16, (3, 5), 1, 1), (16, 16, (5, 4), 2, 2), (40, 70, (2, 3), 1, 1), (16, 16, (1, 1), 2, 1)])
def test_equals_mmcv(channels, outputs, size, stride, batch):
    compare(leaves(channels, outputs, size, stride, batch), stride)


@interpreted
def test_float16():
    # not bfloat16: the interpreter of Triton 3.9 multiplies its bits as if they were integers
    compare(leaves(16, 16, (3, 4), 1, dtype=torch.float16), 1, torch.float16, 1e-2)


def test_in_the_interpreter():
    pytest.importorskip('triton')
    if INTERPRETED:
        pytest.skip('is the interpreter')
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-m', 'not gpu', __file__],
        cwd=Path(__file__).parents[2], env=dict(os.environ, TRITON_INTERPRET='1'),
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '7 passed, 1 skipped' in done.stdout


def test_what_is_not_supported():
    pytest.importorskip('triton')
    from dev.speed.triton_dcn import triton_deform_conv2d
    with pytest.raises(ValueError, match='stride 3'):
        triton_deform_conv2d(*leaves(16, 16, (3, 3), 1), 3)


@pytest.mark.gpu
@pytest.mark.skipif(INTERPRETED, reason='compiled kernels')
@pytest.mark.parametrize('dtype, tolerance', [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize('stride', [1, 2])
def test_compiled_equals_mmcv(stride, dtype, tolerance):
    pytest.importorskip('triton')
    compare(leaves(256, 256, (25, 42), stride, 2, 'cuda', dtype), stride, dtype, tolerance)
