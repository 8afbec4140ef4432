"""Analyse one data set of one run."""

from dataclasses import dataclass

import numpy as np

from .calibration import Calibration, calibrate
from .errors import Errors, best_threshold, find_errors
from .ground_truth import FREQUENCIES, GroundTruth, read_ground_truth
from .matching import SIZES, Matches, match_dataset
from .results import DatasetResult


@dataclass(frozen=True)
class Analysis:
    """The analysis of a data set.

    Attributes:
        result: Detections of the run.
        truth: Boxes of the data set.
        matches: Matches of both.
        errors: Errors at the threshold.
        calibration: Scores against what became of the detections.
    """

    result: DatasetResult
    truth: GroundTruth
    matches: Matches
    errors: Errors
    calibration: Calibration

    @property
    def sizes(self) -> dict[str, float]:
        """Return AP by size of the boxes, shares of 1."""
        return {size: self.matches.mean_ap(size=size) for size in SIZES}

    @property
    def frequencies(self) -> dict[str, float]:
        """Return AP by frequency of the classes, shares of 1; empty if the file has none."""
        letters = self.truth.frequency
        if letters is None:
            return {}
        return {word: self.matches.mean_ap(
            classes=[label for label, own in enumerate(letters) if own == letter])
            for letter, word in FREQUENCIES.items()}

    @property
    def shown_classes(self) -> np.ndarray:
        """Return the labels that have boxes."""
        return np.flatnonzero(self.matches.boxes)


def analyse(result: DatasetResult, threshold: float | None = None,
            progress: bool = True) -> Analysis:
    """Match a data set of a run, and sort its errors.

    Args:
        result: Detections of the run.
        threshold: Score at which errors are counted; default: where F1 is best.
        progress: Whether to show a progress bar.

    Raises:
        FileNotFoundError: If the annotation file is missing.
        ValueError: If it does not fit the detections.
    """
    truth = read_ground_truth(result)
    matches = match_dataset(result, truth, progress)
    threshold = best_threshold(result, matches) if threshold is None else threshold
    return Analysis(result, truth, matches, find_errors(result, truth, matches, threshold),
                    calibrate(result, matches))
