"""Pre-flight checks of data, classes and prompts before a training."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.evaluation.preflight import check_training
from glip_mm.evaluation.tested_datasets import tested_datasets
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class PreflightHook(Hook):
    """Checks data, classes and prompts before the first batch, and reports all problems at once.

    Checked are boxes, classes and the images of every training set, its prompts with the model's
    tokenizer, and everything that ``ResumableTestLoop`` checks of the evaluation. It takes at most
    minutes the first time, seconds when files are known, and draws no random numbers.

    Args:
        preflight: Reaction to a mismatch: ``'error'``, ``'warn'``, or ``'off'`` (no checks).
        tests: Whether to check ``test_dataloader``, too, for runs that end with a test.

    Raises:
        ValueError: If ``preflight`` has another value.
    """

    priority = 'VERY_HIGH'

    def __init__(self, preflight: str = 'error', tests: bool = False) -> None:
        if preflight not in ('error', 'warn', 'off'):
            raise ValueError("PreflightHook.preflight must be 'error', 'warn' or 'off', got "
                             f'{preflight!r}')
        self.preflight, self.tests = preflight, tests

    def before_train(self, runner: Runner) -> None:
        """Run the checks.

        Raises:
            PreflightError: If a check fails.
        """
        if self.preflight == 'off':
            return
        loops: list[Any] = [runner.val_loop, runner.test_loop if self.tests else None]
        evaluations = [
            (tested_datasets(loop.dataloader.dataset,
                             getattr(loop.evaluator, 'dataset_prefixes', None)), loop.evaluator)
            for loop in loops if loop is not None]
        check_training(tested_datasets(runner.train_loop.dataloader.dataset, repeated=True),
                       evaluations, runner.model, strict=self.preflight == 'error',
                       work_dir=runner.work_dir)
