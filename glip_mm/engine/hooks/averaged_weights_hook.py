"""Exponential moving average of the weights, for evaluation and checkpoints."""

from typing import Any

from mmengine.hooks import EMAHook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from glip_mm.registry import HOOKS

_SHARDED = ('FullyShardedDataParallel', 'MMDeepSpeedEngineWrapper')


@HOOKS.register_module()
class AveragedWeightsHook(EMAHook):
    """MMEngine's ``EMAHook`` for checkpoints of any naming.

    Validation uses the averaged weights, so they decide which checkpoint is best. A checkpoint
    holds them as ``state_dict`` (which testing and fine-tuning load) and the raw ones as
    ``ema_state_dict``; resuming restores both. ``EMAHook`` itself expects a ``state_dict`` in
    every checkpoint, which the official release and bare files do not have: here the average
    starts from the model's weights after loading, whatever the file was. It also
    builds the average when a runner loads before it calls ``before_run``, as ``FlexibleRunner``
    does.

    Args:
        momentum: Weight of the newest weights; 0.001 is the published decay of 0.999.
        strict_load: Refuse to resume from an average of another model.
        kwargs: Further arguments of ``EMAHook``.

    Raises:
        ValueError: If the training is sharded, at its start.
    """

    def __init__(self, momentum: float = 0.001, strict_load: bool = True, **kwargs: Any) -> None:
        super().__init__(momentum=momentum, strict_load=strict_load, **kwargs)
        self.ema_model: Any = None  # a BaseAveragedModel from before_run on
        self._resumed: dict | None = None
        self._started = False

    def before_run(self, runner: Runner) -> None:
        """Copy the model for the average."""
        if not isinstance(runner._train_loop, BaseLoop):
            return  # a test without training uses the loaded weights
        sharded = [base.__name__ for base in type(runner.model).__mro__
                   if base.__name__ in _SHARDED]
        if sharded:
            raise ValueError(f'AveragedWeightsHook cannot average a model sharded by {sharded[0]}: '
                             'leave it out of custom_hooks')
        core = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if getattr(self, 'src_model', None) is core:
            return  # a test after training keeps the average
        # a compiled train step is bound to its model and must not be copied
        compiled = core.__dict__.pop('train_step', None)
        super().before_run(runner)
        if compiled is not None:
            core.train_step = compiled
        self._started = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore raw and averaged weights from a checkpoint to resume from."""
        if not runner._resume:
            self._started = False
            return
        if 'ema_state_dict' not in checkpoint:
            MMLogger.get_current_instance().warning(
                'the checkpoint to resume from has no averaged weights (ema_state_dict): the '
                'average starts anew from its weights')
            return
        self._swap_ema_state_dict(checkpoint)
        self._resumed = checkpoint['ema_state_dict']

    def before_train(self, runner: Runner) -> None:
        """Initialise the average from the loaded weights, or from its own if resumed."""
        super().before_train(runner)
        self._start()

    def before_val_epoch(self, runner: Runner) -> None:
        """Swap in the averaged weights."""
        if self.ema_model is not None:
            self._start()
            super().before_val_epoch(runner)

    def after_val_epoch(self, runner: Runner,
                        metrics: dict[str, float] | None = None) -> None:
        """Swap in the raw weights."""
        if self.ema_model is not None:
            super().after_val_epoch(runner, metrics)

    def before_test_epoch(self, runner: Runner) -> None:
        """Swap in the averaged weights for a test after training; keep loaded ones otherwise."""
        self.before_val_epoch(runner)

    def after_test_epoch(self, runner: Runner,
                         metrics: dict[str, float] | None = None) -> None:
        """Swap in the raw weights."""
        self.after_val_epoch(runner, metrics)

    def _start(self) -> None:
        if self._resumed is not None:
            self.ema_model.load_state_dict(self._resumed, strict=self.strict_load)
        elif not self._started:
            self.ema_model.module.load_state_dict(self.src_model.state_dict())
            # at step 0 EMAHook would copy the weights once more instead of averaging
            self.ema_model.steps.fill_(self.ema_model.interval)
        self._resumed, self._started = None, True
