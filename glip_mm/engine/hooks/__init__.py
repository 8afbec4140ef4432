"""Hooks of glip_mm."""

from .averaged_weights_hook import AveragedWeightsHook
from .first_evaluation_hook import FirstEvaluationHook
from .interpolated_weights_hook import InterpolatedWeightsHook
from .non_finite_hook import NonFiniteHook
from .preflight_hook import PreflightHook
from .progress_hook import ProgressHook
from .replaced_samples_hook import ReplacedSamplesHook
from .step_seed_hook import StepSeedHook
from .training_cost_hook import TrainingCostHook

__all__ = ['AveragedWeightsHook', 'FirstEvaluationHook', 'InterpolatedWeightsHook',
           'NonFiniteHook', 'PreflightHook', 'ProgressHook', 'ReplacedSamplesHook', 'StepSeedHook',
           'TrainingCostHook']
