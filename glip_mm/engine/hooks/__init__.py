"""Hooks of glip_mm."""

from .training_cost_hook import TrainingCostHook

__all__ = ['TrainingCostHook']
