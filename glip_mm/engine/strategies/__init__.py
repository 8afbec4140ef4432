"""Strategies of distributed training; imported when a config names one."""

from .fsdp import GLIPFSDPStrategy, wrap_blocks

__all__ = ['GLIPFSDPStrategy', 'wrap_blocks']
