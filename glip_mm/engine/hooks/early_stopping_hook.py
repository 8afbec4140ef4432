"""Early stopping that an interruption does not delay."""

from mmengine.hooks import EarlyStoppingHook as MMEngineEarlyStoppingHook
from mmengine.runner import Runner

from glip_mm.registry import HOOKS


@HOOKS.register_module()
class EarlyStoppingHook(MMEngineEarlyStoppingHook):
    """MMEngine's hook; checkpoints hold its best score and for how long there was no better one.

    Without these a resumed training begins to count anew, and ends later than an unbroken one.
    """

    # before the hook that saves checkpoints
    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Take up the count of the checkpoint."""
        state = runner.message_hub.runtime_info.get('early_stopping')
        if runner.iter and state:
            self.best_score, self.wait_count = state

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Count, and store the count."""
        super().after_val_epoch(runner, metrics)
        runner.message_hub.update_info('early_stopping',
                                       [float(self.best_score), self.wait_count])
