"""Hooks of glip_mm."""

from .averaged_weights_hook import AveragedWeightsHook
from .checkpoint_hook import CheckpointHook
from .early_stopping_hook import EarlyStoppingHook
from .first_evaluation_hook import FirstEvaluationHook
from .interpolated_weights_hook import InterpolatedWeightsHook
from .non_finite_hook import NonFiniteHook
from .preflight_hook import PreflightHook
from .progress_hook import ProgressHook
from .replaced_samples_hook import ReplacedSamplesHook
from .step_seed_hook import StepSeedHook
from .training_cost_hook import TrainingCostHook
from .visualization_hook import DetVisualizationHook

__all__ = ['AveragedWeightsHook', 'CheckpointHook', 'DetVisualizationHook', 'EarlyStoppingHook',
           'FirstEvaluationHook', 'InterpolatedWeightsHook', 'NonFiniteHook', 'PreflightHook',
           'ProgressHook', 'ReplacedSamplesHook', 'StepSeedHook', 'TrainingCostHook']
