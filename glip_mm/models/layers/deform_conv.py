"""Moved to :mod:`glip_mm.ops`."""

from glip_mm.moved import moved

__getattr__ = moved(__name__, {
    'modulated_deform_conv2d': 'glip_mm.ops.modulated_deform_conv.modulated_deform_conv2d',
})
