"""The kernels become machine code without a GPU; the whole table is the tool's."""

import os

import pytest


@pytest.fixture
def tool():
    pytest.importorskip('triton', minversion='3.4')  # earlier ones compile by another interface
    pytest.importorskip('triton.backends.nvidia')
    if os.environ.get('TRITON_INTERPRET') == '1':
        pytest.skip('the interpreter compiles nothing')
    from dev.speed import compile_triton
    return compile_triton


@pytest.mark.parametrize('kernel, type_', [
    ('_forward', 'float32'), ('_backward_points', 'float32'), ('_backward_weight', 'bfloat16')])
def test_kernels_compile_and_fit(tool, kernel, type_):
    usage = tool.compile_kernel(kernel, type_, 80)
    assert usage.fits, usage
    assert usage.registers > 16 and usage.shared > 1024


def test_what_does_not_fit(tool):
    usage = tool.Usage('_forward', 'float32', 80, 255, 0, 163 * 1024)
    assert usage.fits and not usage._replace(shared=163 * 1024 + 1).fits
    assert not usage._replace(spilled=752).fits
