"""Hooks of glip_mm."""

from .averaged_weights_hook import AveragedWeightsHook
from .training_cost_hook import TrainingCostHook

__all__ = ['AveragedWeightsHook', 'TrainingCostHook']
