"""Engine of glip_mm. Importing MMDetection's makes its parts findable by our registries."""

import mmdet.engine  # noqa: F401

from .hooks import TrainingCostHook

__all__ = ['TrainingCostHook']
