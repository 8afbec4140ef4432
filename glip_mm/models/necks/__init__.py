"""Necks."""

from .fpn_drop_block import FPNDropBlock
from .vl_fusion_neck import VLFusionNeck

__all__ = ['FPNDropBlock', 'VLFusionNeck']
