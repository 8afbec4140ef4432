"""Before the first image: do classes, annotations, images, metrics and prompts fit together?

A wrong order of classes, another annotation file or a prompt without words gives numbers that look
like numbers. What can be told beforehand is told beforehand, with both sides printed.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import MMLogger
from torch import nn

from ..tested_datasets import TestedDataset
from .annotations import check_annotations, check_metric, read_annotations
from .boxes import check_boxes
from .findings import Findings, PreflightError
from .image_checks import check_images
from .prompt_checks import check_prompt
from .training import check_training_set, check_vocabularies

__all__ = ['Findings', 'PreflightError', 'check_test', 'check_training']


def check_test(datasets: Sequence[TestedDataset], evaluator: Any, model: nn.Module,
               strict: bool = True) -> None:
    """Compare classes, annotations, metrics and prompts of a test, and log what will be asked.

    Args:
        datasets: What is tested.
        evaluator: MMEngine's, with ``metrics``.
        model: A GLIP, or a detector without words, whose prompts are not looked at.
        strict: A mismatch ends the test instead of being logged.

    Raises:
        PreflightError: If something does not fit; the text lists both sides.
    """
    _decide(lambda: look(datasets, evaluator, model), strict, 'the test would give wrong numbers',
            "test_cfg=dict(preflight='warn') tests all the same")


def check_training(training: Sequence[TestedDataset],
                   evaluations: Sequence[tuple[Sequence[TestedDataset], Any]], model: nn.Module,
                   strict: bool = True) -> None:
    """Compare all that a training learns from and is evaluated on, before its first batch.

    Args:
        training: What is learned from.
        evaluations: What is evaluated on the way or in the end, each with its evaluator (None
            without one); empty for none.
        model: See :func:`check_test`.
        strict: A mismatch ends the training instead of being logged.

    Raises:
        PreflightError: If something does not fit.
    """
    def findings() -> Findings:
        found = Findings()
        for evaluated, evaluator in evaluations:
            look(evaluated, evaluator, model, found)
            check_vocabularies(training, evaluated, found)
        for dataset in training:
            check_training_set(dataset, model, found)
        return found

    _decide(findings, strict, 'the training would go wrong',
            "custom_hooks=[dict(type='PreflightHook', preflight='warn'), ...] trains all the same")


def _decide(find: Callable[[], Findings], strict: bool, verdict: str, remedy: str) -> None:
    """Log what the main process finds, and end the run in all processes."""
    errors: list[Any] = [None]
    if is_main_process():
        logger, findings = MMLogger.get_current_instance(), find()
        # two evaluations of one file find the same
        for line in dict.fromkeys(findings.notes):
            logger.info(line)
        for line in dict.fromkeys(findings.warnings + ([] if strict else findings.errors)):
            logger.warning(line)
        errors = [list(dict.fromkeys(findings.errors)) if strict else []]
    broadcast_object_list(errors)
    if errors[0]:
        raise PreflightError(f'{verdict}:\n' + '\n'.join(errors[0]) + f'\n({remedy})')


def look(datasets: Sequence[TestedDataset], evaluator: Any, model: nn.Module,
         findings: Findings | None = None) -> Findings:
    """All findings of :func:`check_test`, added to others if they are given."""
    findings = Findings() if findings is None else findings
    metrics = list(getattr(evaluator, 'metrics', ()))
    # with a metric for each data set they stand in the same order
    apart = hasattr(evaluator, 'dataset_prefixes')
    # with several sets and one metric, it must be one that knows them by name
    shared = metrics if len(datasets) == 1 else [m for m in metrics if hasattr(m, 'datasets')]
    for i, dataset in enumerate(datasets):
        content = read_annotations(dataset, findings)
        if content is not None:
            check_annotations(dataset, content, findings)
            check_boxes(f"{dataset.name}: '{dataset.ann_file}'", content, findings)
            for metric in metrics[i:i + 1] if apart else shared:
                check_metric(dataset, content, metric, findings)
        check_images(dataset, findings)
        check_prompt(dataset, model, findings)
    return findings
