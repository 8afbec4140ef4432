"""Engine of glip_mm. Importing MMDetection's makes its parts findable by our registries."""

import mmdet.engine  # noqa: F401

from .atomic_backend import AtomicBackend
from .hooks import (
    AveragedWeightsHook,
    CheckpointHook,
    EarlyStoppingHook,
    NonFiniteHook,
    StepSeedHook,
    TrainingCostHook,
)
from .loops import ResumableEpochLoop, ResumableIterLoop
from .optim import AutoAmpOptimWrapper, GLIPOptimWrapperConstructor
from .resumable_test_loop import ResumableTestLoop
from .runner import ScreenFlexibleRunner, ScreenRunner
from .schedulers import FractionStepLR, FractionStepParamScheduler

__all__ = [
    'AtomicBackend', 'AutoAmpOptimWrapper', 'AveragedWeightsHook', 'CheckpointHook',
    'EarlyStoppingHook', 'FractionStepLR', 'FractionStepParamScheduler',
    'GLIPOptimWrapperConstructor', 'NonFiniteHook',
    'ResumableEpochLoop', 'ResumableIterLoop', 'ResumableTestLoop', 'ScreenFlexibleRunner',
    'ScreenRunner', 'StepSeedHook', 'TrainingCostHook'
]
