"""Pre-flight checks of data, classes and prompts before a training."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.evaluation.preflight import check_training
from glip_mm.evaluation.tested_datasets import tested_datasets
from glip_mm.registry import HOOKS
from glip_mm.visualization.training_sample import save_training_sample


@HOOKS.register_module()
class PreflightHook(Hook):
    """Checks data, classes and prompts before the first batch, and reports all problems at once.

    Checked are boxes, classes and the images of every training set, its prompts with the model's
    tokenizer, whether its pipeline moves boxes with their pixels, and everything that
    ``ResumableTestLoop`` checks of the evaluation. A picture of what the network will see is saved
    as ``preflight/train_sample.jpg`` in the work directory. It takes at most minutes the first
    time, seconds when files are known, and draws no random numbers.

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
        dataset = runner.train_loop.dataloader.dataset
        if is_main_process():  # before the checks: the picture shows what they find
            self._draw(runner, dataset)
        check_training(tested_datasets(dataset, repeated=True), evaluations, runner.model,
                       strict=self.preflight == 'error', work_dir=runner.work_dir)

    @staticmethod
    def _draw(runner: Runner, dataset: Any) -> None:
        path = Path(runner.work_dir) / 'preflight' / 'train_sample.jpg'
        try:
            save_training_sample(dataset, path)
            runner.logger.info(f"'{path}' shows what the network will see of a training sample")
        # the checks say what is wrong with the samples
        except (AssertionError, AttributeError, LookupError, OSError, TypeError,
                ValueError) as error:
            runner.logger.warning(f'no training sample could be drawn: {error}')
