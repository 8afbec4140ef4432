"""Looks at data, classes and prompts before a training begins."""

from typing import Any

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
        tests: Also look at what ``test_dataloader`` reads, for runs that end with a test.

    Raises:
        ValueError: For another ``preflight``.
    """

    priority = 'VERY_HIGH'

    def __init__(self, preflight: str = 'error', tests: bool = False) -> None:
        if preflight not in ('error', 'warn', 'off'):
            raise ValueError("PreflightHook.preflight must be 'error', 'warn' or 'off', got "
                             f'{preflight!r}')
        self.preflight, self.tests = preflight, tests

    def before_train(self, runner: Runner) -> None:
        """Look.

        Raises:
            PreflightError: If something does not fit.
        """
        if self.preflight == 'off':
            return
        loops: list[Any] = [runner.val_loop, runner.test_loop if self.tests else None]
        evaluations = [
            (tested_datasets(loop.dataloader.dataset,
                             getattr(loop.evaluator, 'dataset_prefixes', None)), loop.evaluator)
            for loop in loops if loop is not None]
        check_training(tested_datasets(runner.train_loop.dataloader.dataset, repeated=True),
                       evaluations, runner.model, strict=self.preflight == 'error')
