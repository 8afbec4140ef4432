"""Looks at data, classes and prompts before a training begins."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.evaluation.preflight import check_training
from glip_mm.evaluation.tested_datasets import tested_datasets
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class PreflightHook(Hook):
    """Ends a training before its first batch where it would go wrong, and says all reasons.

    What is looked at: boxes, classes and some images of every training set, its prompt as the
    model will read it, and all that ``ResumableTestLoop`` looks at of the evaluation. It costs a
    few seconds and draws no random numbers.

    Args:
        preflight: What a mismatch is: ``'error'``, ``'warn'``, or ``'off'``: not looked for.

    Raises:
        ValueError: For another ``preflight``.
    """

    priority = 'VERY_HIGH'

    def __init__(self, preflight: str = 'error') -> None:
        if preflight not in ('error', 'warn', 'off'):
            raise ValueError("PreflightHook.preflight must be 'error', 'warn' or 'off', got "
                             f'{preflight!r}')
        self.preflight = preflight

    def before_train(self, runner: Runner) -> None:
        """Look.

        Raises:
            PreflightError: If something does not fit.
        """
        if self.preflight == 'off':
            return
        evaluated, evaluator = [], None
        if runner.val_loop is not None:
            evaluator = runner.val_loop.evaluator
            evaluated = tested_datasets(runner.val_loop.dataloader.dataset,
                                        getattr(evaluator, 'dataset_prefixes', None))
        check_training(tested_datasets(runner.train_loop.dataloader.dataset), evaluated, evaluator,
                       runner.model, strict=self.preflight == 'error')
