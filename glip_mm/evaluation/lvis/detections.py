"""Detections of a whole data set as columns, and the caps of both protocols."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .ground_truth import LVISGroundTruth


class Detections(NamedTuple):
    """``N`` detections.

    Attributes:
        images: ``[N]`` integers, index in ``LVISGroundTruth.image_ids``.
        categories: ``[N]`` integers, index in ``LVISGroundTruth.category_ids``.
        boxes: ``[N, 4]``, x, y, width and height in pixels of the original image.
        scores: ``[N]``.
    """

    images: np.ndarray
    categories: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def empty(cls) -> 'Detections':
        """Return no detections."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 4), np.float32),
                   np.zeros(0, np.float32))

    @classmethod
    def concatenate(cls, parts: Sequence['Detections']) -> 'Detections':
        """Concatenate detections."""
        return cls(*map(np.concatenate, zip(*parts))) if parts else cls.empty()

    def take(self, index: np.ndarray) -> 'Detections':
        """Select detections by an index or mask."""
        return Detections(*(column[index] for column in self))


def detections_of_results(truth: LVISGroundTruth, results: Sequence[dict[str, Any]]
                          ) -> Detections:
    """Convert a results file's entries ``image_id, category_id, bbox, score`` to detections.

    Args:
        truth: Ground truth with the images and categories.
        results: Content of the file; ``bbox`` is x, y, width, height.

    Raises:
        ValueError: If an image is not in the ground truth. As in the reference, entries
            with unknown categories are dropped.
    """
    image_of = {int(v): i for i, v in enumerate(truth.image_ids)}
    category_of = {int(v): i for i, v in enumerate(truth.category_ids)}
    for entry in results:
        if entry['image_id'] not in image_of:
            raise ValueError(f"a result is of image {entry['image_id']}, which the annotations "
                             'do not list: check that both are of the same split')
    rows = [entry for entry in results if entry['category_id'] in category_of]
    return Detections(
        np.array([image_of[row['image_id']] for row in rows], dtype=np.int32),
        np.array([category_of[row['category_id']] for row in rows], dtype=np.int32),
        np.array([row['bbox'] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row['score'] for row in rows], dtype=np.float64))


def _best_of_groups(groups: np.ndarray, detections: Detections, most: int) -> np.ndarray:
    # ties are sorted by image id, then by the order within the image, whatever the order of
    # the images was. The index is sorted by group, best first
    order = np.lexsort((detections.images, -detections.scores, groups))
    groups = groups[order]
    starts = np.searchsorted(groups, groups)
    return order[np.arange(len(groups)) - starts < most]


def most_per_category(detections: Detections, most: int) -> Detections:
    """Keep the best of each category over all images (fixed AP's only cap), best first."""
    return detections.take(_best_of_groups(detections.categories, detections, most))


def most_per_image(detections: Detections, most: int) -> Detections:
    """Keep the best of each image over all categories (standard AP's cap), best first."""
    return detections.take(_best_of_groups(detections.images, detections, most))


class DetectionStore:
    """Detections of a growing number of images, with memory bounded by the cap.

    Args:
        most: Maximum number of detections per category; None keeps all.
        slack: Number of additional detections before the cap is applied again.
    """

    def __init__(self, most: int | None, slack: int = 1_000_000) -> None:
        self.most, self.slack = most, slack
        self._kept, self._rows = Detections.empty(), 0
        self._waiting: list[Detections] = []

    def add(self, detections: Detections) -> None:
        """Add the detections of one or more images, each image once."""
        self._waiting.append(detections)
        self._rows += len(detections.scores)
        if self.most is not None and self._rows > self.slack:
            self.detections()

    def detections(self) -> Detections:
        """Return the detections after the cap."""
        waiting: list[Detections] = self._waiting
        if waiting:
            kept = Detections.concatenate([self._kept, *waiting])
            self._kept = kept if self.most is None else most_per_category(kept, self.most)
            self._waiting, self._rows = [], 0
        return self._kept
