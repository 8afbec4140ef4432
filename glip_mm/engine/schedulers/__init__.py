"""Learning rate schedules of GLIP's training."""

from .fraction_step import FractionStepLR, FractionStepParamScheduler

__all__ = ['FractionStepLR', 'FractionStepParamScheduler']
