"""Summarise test runs for machines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glip_mm.evaluation.analysis.analysis import Analysis
from glip_mm.evaluation.analysis.errors import top_confusions
from glip_mm.evaluation.analysis.results import Result


def summarise(results: Sequence[Result],
              analyses: Sequence[Mapping[str, Analysis]]) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Args:
        results: Runs to summarise.
        analyses: Analyses of each run by name of the data set.

    Returns:
        Plain JSON: rates as shares of 1, ``None`` where there is no number.
    """
    return _plain(dict(version=1, results=[
        dict(name=r.name, folder=str(r.folder), model=r.model, benchmark=r.benchmark,
             checkpoint=r.checkpoint, seconds=r.seconds, environment=r.environment,
             metrics=r.metrics, expected=r.expected,
             difference={key: value - r.expected[key] for key, value in r.metrics.items()
                         if key in r.expected},
             datasets={name: summarise_dataset(a) for name, a in found.items()})
        for r, found in zip(results, analyses)]))


def summarise_dataset(analysis: Analysis) -> dict[str, Any]:
    """Return the numbers of one data set; ``classes`` holds those that have boxes."""
    result, truth, matches, errors = (analysis.result, analysis.truth, analysis.matches,
                                      analysis.errors)
    half = matches.class_ap(0.5)
    return dict(
        ann_file=str(result.ann_file), images=len(result.images), images_in_all=result.num_images,
        kind='phrases' if truth.phrases else 'federated' if truth.listed else 'detection',
        boxes=int(matches.counted.sum()), detections=len(result.scores),
        AP=matches.mean_ap(), AP50=matches.mean_ap(0.5), AP75=matches.mean_ap(0.75),
        AP_by_size=analysis.sizes, AP_by_frequency=analysis.frequencies or None,
        calibration_error=analysis.calibration.error,
        errors=dict(threshold=errors.threshold, precision=errors.precision, recall=errors.recall,
                    correct=errors.correct, **errors.counts),
        confusions=[dict(truth=a, taken_for=b, count=count)
                    for a, b, count in top_confusions(errors, truth.classes)],
        classes=[dict(name=truth.classes[i], boxes=int(matches.boxes[i]), AP=matches.ap[i, 0],
                      AP50=half[i], frequency=truth.frequency[i] if truth.frequency else None)
                 for i in analysis.shown_classes])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        # JSON knows no NaN
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
