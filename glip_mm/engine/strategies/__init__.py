"""Ways to spread a training over processes; imported when a config names one."""

from .fsdp import GLIPFSDPStrategy, wrap_blocks

__all__ = ['GLIPFSDPStrategy', 'wrap_blocks']
