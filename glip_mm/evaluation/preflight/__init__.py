"""Pre-flight checks: classes, annotations, images, metrics and prompts must be consistent.

A wrong order of classes, another annotation file or a prompt without words gives plausible but
wrong numbers. What can be detected before the first image is reported then, with both sides
printed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import MMLogger
from torch import nn

from glip_mm.evaluation.tested_datasets import TestedDataset

from .annotations import check_annotations, check_metric, read_annotations
from .boxes import check_boxes
from .findings import Findings, PreflightError
from .image_checks import check_images
from .prompt_checks import check_prompt
from .training import check_training_set, check_vocabularies

__all__ = ['Findings', 'PreflightError', 'check_test', 'check_training']


def check_test(datasets: Sequence[TestedDataset], evaluator: Any, model: nn.Module,
               strict: bool = True, work_dir: str | Path | None = None) -> None:
    """Check classes, annotations, metrics and prompts of a test, and log its prompts.

    Args:
        datasets: Tested data sets.
        evaluator: MMEngine's evaluator, with ``metrics``.
        model: A GLIP, or a detector without prompts, which are then not checked.
        strict: Whether a mismatch ends the test instead of being logged.
        work_dir: Folder in which it is remembered which images are sound.

    Raises:
        PreflightError: If a check fails; the message lists both sides.
    """
    _decide(lambda: look(datasets, evaluator, model, work_dir=work_dir), strict,
            'the test would give wrong numbers',
            "test_cfg=dict(preflight='warn') tests all the same")


def check_training(training: Sequence[TestedDataset],
                   evaluations: Sequence[tuple[Sequence[TestedDataset], Any]], model: nn.Module,
                   strict: bool = True, work_dir: str | Path | None = None) -> None:
    """Check the training sets and the evaluations of a training, before its first batch.

    Args:
        training: Training sets.
        evaluations: Evaluated data sets during or after the training, each with its evaluator
            (or None); empty for none.
        model: Detector, see :func:`check_test`.
        strict: Whether a mismatch ends the training instead of being logged.
        work_dir: Folder in which it is remembered which images are sound.

    Raises:
        PreflightError: If a check fails.
    """
    def findings() -> Findings:
        found = Findings()
        for evaluated, evaluator in evaluations:
            look(evaluated, evaluator, model, found, work_dir)
            check_vocabularies(training, evaluated, found)
        for dataset in training:
            check_training_set(dataset, model, found, work_dir)
        return found

    _decide(findings, strict, 'the training would go wrong',
            "custom_hooks=[dict(type='PreflightHook', preflight='warn'), ...] trains all the same")


def _decide(find: Callable[[], Findings], strict: bool, verdict: str, remedy: str) -> None:
    """Log the findings of the main process, and end the run in all processes if needed."""
    errors: list[Any] = [None]
    if is_main_process():
        logger, findings = MMLogger.get_current_instance(), find()
        # two evaluations of the same file have the same notes
        for line in dict.fromkeys(findings.notes):
            logger.info(line)
        for line in dict.fromkeys(findings.warnings + ([] if strict else findings.errors)):
            logger.warning(line)
        errors = [list(dict.fromkeys(findings.errors)) if strict else []]
    broadcast_object_list(errors)
    if errors[0]:
        raise PreflightError(f'{verdict}:\n' + '\n'.join(errors[0]) + f'\n({remedy})')


def look(datasets: Sequence[TestedDataset], evaluator: Any, model: nn.Module,
         findings: Findings | None = None, work_dir: str | Path | None = None) -> Findings:
    """Return all findings of :func:`check_test`, added to others if they are given."""
    findings = Findings() if findings is None else findings
    metrics = list(getattr(evaluator, 'metrics', ()))
    # an evaluator with one metric per data set has them in the same order
    apart = hasattr(evaluator, 'dataset_prefixes')
    scored = not (metrics and all(getattr(m, 'format_only', False) for m in metrics))
    # a metric that is shared by several data sets must know them by name
    shared = metrics if len(datasets) == 1 else [m for m in metrics if hasattr(m, 'datasets')]
    for i, dataset in enumerate(datasets):
        content = read_annotations(dataset, findings)
        if content is not None:
            check_annotations(dataset, content, findings, scored=scored)
            check_boxes(f"{dataset.name}: '{dataset.ann_file}'", content, findings)
            for metric in metrics[i:i + 1] if apart else shared:
                check_metric(dataset, content, metric, findings)
        check_images(dataset, findings, work_dir)
        check_prompt(dataset, model, findings)
    return findings
