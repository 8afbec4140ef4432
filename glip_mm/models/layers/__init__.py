"""Layers of the fusion tower: one idea a file."""

from .bi_attention import BiAttention
from .dynamic_conv import DyConv
from .dynamic_relu import DynamicReLU
from .text_layer import FusionTextLayer

__all__ = ['BiAttention', 'DyConv', 'DynamicReLU', 'FusionTextLayer']
