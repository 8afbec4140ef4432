"""Optimizers of GLIP's training: parameter groups and mixed precision."""

from .auto_amp_optim_wrapper import AutoAmpOptimWrapper
from .optim_wrapper_constructor import GLIPOptimWrapperConstructor

__all__ = ['AutoAmpOptimWrapper', 'GLIPOptimWrapperConstructor']
