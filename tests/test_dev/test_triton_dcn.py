"""Kernels against the plain formula: in Triton's interpreter on a CPU, and compiled on a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dev.speed.kernels import TOLERANCES, compare_kernels, differences, make_leaves

INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
interpreted = pytest.mark.skipif(not INTERPRETED, reason='run by test_in_the_interpreter')


def compare(*args, dtype='float32', **kwargs):
    leaves = make_leaves(*args, dtype=getattr(torch, dtype), **kwargs)
    found = differences(leaves, dtype, args[3])
    assert max(found.values()) <= TOLERANCES[dtype], found


@interpreted
@pytest.mark.parametrize('channels, outputs, size, stride, batch', [
    (16, 16, (3, 5), 1, 1), (16, 16, (5, 4), 2, 2), (40, 70, (2, 3), 1, 1), (16, 16, (1, 1), 2, 1)])
def test_equals_the_formula(channels, outputs, size, stride, batch):
    compare(channels, outputs, size, stride, batch)


@interpreted
def test_float16():
    # not bfloat16: the interpreter of Triton 3.9 multiplies its bits as if they were integers
    compare(16, 16, (3, 4), 1, dtype='float16')


@interpreted
def test_the_best_tiles_are_named():
    from dev.speed.triton_dcn import TILES
    found = compare_kernels('cpu', 'float32', 1, (2, 2), 16, tried=2)
    assert list(found['tiles']) == [str(tuple(tiles)) for tiles in TILES[:2]]
    for way in ('forward', 'backward'):
        times = {name: took[way] for name, took in found['tiles'].items()}
        assert found['triton'][way] == times[found['best'][way]] == min(times.values())


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
        triton_deform_conv2d(*make_leaves(16, 16, (3, 3), 1), 3)


@pytest.mark.gpu
@pytest.mark.skipif(INTERPRETED, reason='compiled kernels')
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('stride', [1, 2])
def test_compiled_equals_the_formula(stride, dtype):
    pytest.importorskip('triton')
    compare(256, 256, (25, 42), stride, 2, 'cuda', dtype=dtype)
