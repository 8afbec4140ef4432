"""Engine of glip_mm. Importing MMDetection's makes its parts findable by our registries."""

import mmdet.engine  # noqa: F401

from .atomic_backend import AtomicBackend
from .hooks import AveragedWeightsHook, StepSeedHook, TrainingCostHook
from .loops import ResumableEpochLoop, ResumableIterLoop
from .optim import AutoAmpOptimWrapper, GLIPOptimWrapperConstructor
from .schedulers import FractionStepLR, FractionStepParamScheduler

__all__ = [
    'AtomicBackend', 'AutoAmpOptimWrapper', 'AveragedWeightsHook', 'FractionStepLR',
    'FractionStepParamScheduler', 'GLIPOptimWrapperConstructor', 'ResumableEpochLoop',
    'ResumableIterLoop', 'StepSeedHook', 'TrainingCostHook'
]
