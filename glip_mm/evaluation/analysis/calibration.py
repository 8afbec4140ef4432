"""Compare scores with how often detections are right."""

from typing import NamedTuple

import numpy as np

from .matching import FALSE, TRUE, Matches
from .results import DatasetResult


class Calibration(NamedTuple):
    """Detections by their score.

    Attributes:
        edges: ``[N + 1]`` edges of the bins.
        score: ``[N]`` mean score in each bin, NaN where it is empty.
        right: ``[N]`` share of true detections, NaN where it is empty.
        count: ``[N]`` detections.
        error: Expected calibration error: mean distance of score and share over detections; NaN
            without detections.
    """

    edges: np.ndarray
    score: np.ndarray
    right: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # hides tuple.count
    error: float


def calibrate(result: DatasetResult, matches: Matches, bins: int = 10) -> Calibration:
    """Compare scores with what became of the detections at IoU 0.5.

    Args:
        result: Detections to compare.
        matches: Matches of the detections; those that were not judged are left out.
        bins: Number of bins of equal width between 0 and 1.

    Returns:
        The comparison.
    """
    judged = (matches.status == TRUE) | (matches.status == FALSE)
    scores = result.scores[judged].astype(np.float64)
    true = matches.status[judged] == TRUE
    edges = np.linspace(0, 1, bins + 1)
    which = np.clip((scores * bins).astype(int), 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    filled = np.where(count, count, np.nan)
    score = np.bincount(which, scores, bins) / filled
    right = np.bincount(which, true, bins) / filled
    error = np.nansum(count * np.abs(score - right)) / len(scores) if len(scores) else np.nan
    return Calibration(edges, score, right, count, float(error))
