"""Moved to :mod:`glip_mm.ops`."""

from glip_mm.moved import moved

__getattr__ = moved(__name__, {
    'triton_deform_conv2d': 'glip_mm.ops.triton_deform_conv.triton_deform_conv2d',
    'unsupported': 'glip_mm.ops.triton_deform_conv.unsupported',
    'DTYPES': 'glip_mm.ops.triton_deform_conv.DTYPES',
})
