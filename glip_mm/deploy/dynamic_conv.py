"""Moved to :mod:`glip_mm.ops`."""

from glip_mm.moved import moved

__getattr__ = moved(__name__, {
    'sampled_deform_conv2d': 'glip_mm.ops.sampled_deform_conv.sampled_deform_conv2d',
})
