"""Step schedule with milestones at fractions of the whole training."""

from collections.abc import Sequence
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, MultiStepParamScheduler, OptimizerType

from glip_mm.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class FractionStepParamScheduler(MultiStepParamScheduler):
    """Multiplies a setting of the optimizer by ``gamma`` at fractions of all iterations.

    The milestones follow the length of the training, whatever the data and the batch size: the
    runner gives ``end``, its number of iterations. Steps count iterations, from 0.

    Args:
        optimizer: Wrapped optimizer.
        param_name: Name of the setting: ``'weight_decay'`` for the schedule of GLIP-L; ``'lr'`` has
            a class of its own.
        fractions: Milestones, increasing, between 0 and 1; ``round(fraction * end)`` is the first
            iteration with the new value.
        gamma: Factor at each milestone.
        end: Number of iterations of the whole training.
        by_epoch: Must be false: an epoch is too coarse.
        kwargs: Further arguments of MMEngine's schedulers.

    Raises:
        ValueError: If a fraction is out of range or order, if ``by_epoch`` is true or if ``end`` is
            unknown.

    Example:
        >>> dict(type='FractionStepParamScheduler', param_name='weight_decay', by_epoch=False,
        ...      fractions=(0.447, 0.594))  # doctest: +SKIP
    """

    def __init__(self, optimizer: OptimizerType, param_name: str, fractions: Sequence[float],
                 gamma: float = 0.1, end: int = INF, by_epoch: bool = False,
                 **kwargs: Any) -> None:
        fractions = tuple(fractions)
        if list(fractions) != sorted(fractions) or not all(0 <= f <= 1 for f in fractions):
            raise ValueError(f'param_scheduler.fractions are {fractions}: they must increase and '
                             'lie between 0 and 1')
        if by_epoch or end >= INF:
            raise ValueError('fractions are of all iterations: set by_epoch=False in '
                             f'param_scheduler (it is {by_epoch}) and, outside a runner, end to '
                             'the number of iterations')
        self.fractions = fractions
        super().__init__(optimizer, param_name, [round(f * end) for f in fractions], gamma,
                         end=end, by_epoch=False, **kwargs)


@PARAM_SCHEDULERS.register_module()
class FractionStepLR(LRSchedulerMixin, FractionStepParamScheduler):
    """Multiplies all learning rates by ``gamma`` at fractions of all iterations.

    The published training steps at 0.67 and 0.89 of it. Arguments: see
    :class:`FractionStepParamScheduler`, without ``param_name``.
    """
