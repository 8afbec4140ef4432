"""Everything a report says about one data set of one run."""

from dataclasses import dataclass

import numpy as np

from .calibration import Calibration, calibrate
from .errors import Errors, best_threshold, find_errors
from .ground_truth import FREQUENCIES, GroundTruth, read_ground_truth
from .matching import SIZES, Matches, match_dataset
from .results import DatasetResult


@dataclass(frozen=True)
class Analysis:
    """A data set, looked at.

    Attributes:
        result: The detections.
        truth: The boxes.
        matches: Of both.
        errors: At the threshold.
        calibration: Scores against what became of the detections.
    """

    result: DatasetResult
    truth: GroundTruth
    matches: Matches
    errors: Errors
    calibration: Calibration

    @property
    def sizes(self) -> dict[str, float]:
        """AP by size of the boxes, shares of 1."""
        return {size: self.matches.mean_ap(size=size) for size in SIZES}

    @property
    def frequencies(self) -> dict[str, float]:
        """AP by frequency of the classes, shares of 1; empty where the file does not tell."""
        letters = self.truth.frequency
        if letters is None:
            return {}
        return {word: self.matches.mean_ap(
            classes=[label for label, own in enumerate(letters) if own == letter])
            for letter, word in FREQUENCIES.items()}

    @property
    def shown_classes(self) -> np.ndarray:
        """Labels that have boxes."""
        return np.flatnonzero(self.matches.boxes)


def analyse(result: DatasetResult, threshold: float | None = None,
            progress: bool = True) -> Analysis:
    """Look at a data set of a run.

    Args:
        result: The detections.
        threshold: Score at which errors are counted; default: where F1 is best.
        progress: Show a progress bar.

    Raises:
        FileNotFoundError: If the annotation file is missing.
        ValueError: If it does not fit the detections.
    """
    truth = read_ground_truth(result)
    matches = match_dataset(result, truth, progress)
    threshold = best_threshold(result, matches) if threshold is None else threshold
    return Analysis(result, truth, matches, find_errors(result, truth, matches, threshold),
                    calibrate(result, matches))
