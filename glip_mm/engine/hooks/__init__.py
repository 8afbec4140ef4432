"""Hooks of glip_mm."""

from .averaged_weights_hook import AveragedWeightsHook
from .non_finite_hook import NonFiniteHook
from .step_seed_hook import StepSeedHook
from .training_cost_hook import TrainingCostHook

__all__ = ['AveragedWeightsHook', 'NonFiniteHook', 'StepSeedHook', 'TrainingCostHook']
