"""What can be known to be wrong with a test before its first image."""

from typing import Any, Sequence

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import MMLogger
from torch import nn

from ..tested_datasets import TestedDataset
from .annotations import check_annotations, check_metric, read_annotations
from .findings import Findings
from .prompts import check_prompt

__all__ = ['Findings', 'check_test']


def check_test(datasets: Sequence[TestedDataset], evaluator: Any, model: nn.Module,
               strict: bool = True) -> None:
    """Compare classes, annotations, metrics and prompts of a test, and log what will be asked.

    Args:
        datasets: What is tested.
        evaluator: MMEngine's, with ``metrics``.
        model: A GLIP, or a detector without words, whose prompts are not looked at.
        strict: A mismatch ends the test instead of being logged.

    Raises:
        ValueError: If something does not fit; the text lists both sides.
    """
    errors: list[Any] = [None]
    if is_main_process():
        logger, findings = MMLogger.get_current_instance(), look(datasets, evaluator, model)
        for line in findings.notes:
            logger.info(line)
        for line in findings.warnings + ([] if strict else findings.errors):
            logger.warning(line)
        errors = [findings.errors if strict else []]
    broadcast_object_list(errors)
    if errors[0]:
        raise ValueError('the test would give wrong numbers:\n' + '\n'.join(errors[0]) + (
            "\n(test_cfg=dict(preflight='warn') tests all the same)"))


def look(datasets: Sequence[TestedDataset], evaluator: Any, model: nn.Module) -> Findings:
    """All findings of :func:`check_test`."""
    findings = Findings()
    metrics = list(getattr(evaluator, 'metrics', ()))
    # with a metric for each data set they stand in the same order
    apart = hasattr(evaluator, 'dataset_prefixes')
    # with several sets and one metric, it must be one that knows them by name
    shared = metrics if len(datasets) == 1 else [m for m in metrics if hasattr(m, 'datasets')]
    for i, dataset in enumerate(datasets):
        content = read_annotations(dataset, findings)
        if content is not None:
            check_annotations(dataset, content, findings)
            for metric in metrics[i:i + 1] if apart else shared:
                check_metric(dataset, content, metric, findings)
        check_prompt(dataset, model, findings)
    return findings
