"""Average precision by the LVIS protocol, in NumPy.

The results equal those of the ``lvis`` package 0.5.3 for the same detections in the same order;
tests compare all of them. Neither it nor faster-coco-eval is used, although both
give these results: both need a Python dictionary per detection and visit every image for
every category, which at the size of LVIS minival takes many times the time and the memory (see
docs/benchmarks.md), while the arrays that a test run holds anyway need only a few sorts.
"""

from dataclasses import dataclass

import numpy as np

from .detections import Detections
from .ground_truth import FREQUENCIES, LVISGroundTruth
from .matching import IGNORED, MATCHED, UNMATCHED, match, near_couples

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0., 1., 101)
#: Ranges of area in square pixels, both ends included.
AREAS = {'all': (0., 1e5**2), 'small': (0., 32.**2), 'medium': (32.**2, 96.**2),
         'large': (96.**2, 1e5**2)}


@dataclass(frozen=True)
class LVISResult:
    """Result of :func:`lvis_ap`; -1 marks undefined values, as in the reference.

    Attributes:
        precision: ``[T, R, K, A]`` at :data:`THRESHOLDS`, :data:`RECALLS`, categories and
            :data:`AREAS`.
        recall: ``[T, K, A]`` maximum recall.
        frequency: ``[K]``, index in ``'r', 'c', 'f'``.
        names: Names of the categories.
    """

    precision: np.ndarray
    recall: np.ndarray
    frequency: np.ndarray
    names: tuple[str, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """Return AP, AP50, AP75, APs, APm, APl, APr, APc, APf, AR, ARs, ARm and ARl."""
        all_areas = self.precision[..., 0]
        found = dict(AP=all_areas, AP50=all_areas[THRESHOLDS == 0.5],
                     AP75=all_areas[THRESHOLDS == 0.75])
        areas = list(enumerate(AREAS))[1:]
        found.update({f'AP{name[0]}': self.precision[..., a] for a, name in areas})
        found.update({f'AP{letter}': all_areas[:, :, self.frequency == f]
                      for f, letter in enumerate(FREQUENCIES)})
        found['AR'] = self.recall[..., 0]
        found.update({f'AR{name[0]}': self.recall[..., a] for a, name in areas})
        return {name: _mean(values) for name, values in found.items()}

    @property
    def ap_per_class(self) -> np.ndarray:
        """Return the AP of each category, ``[K]``."""
        return np.array([_mean(self.precision[:, :, k, 0]) for k in range(len(self.names))])


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(np.mean(known)) if len(known) else -1.


def lvis_ap(truth: LVISGroundTruth, detections: Detections) -> LVISResult:
    """Score detections; the caller applies the protocol's caps.

    A detection of a category that is neither in the image nor verified as absent from it is
    dropped; an unmatched one is ignored if it is outside the range of area or the boxes of
    its category are not exhaustive. Ties are sorted by image, then by the order given.

    Args:
        truth: Ground truth.
        detections: Detections in any order; for fixed AP the best 10,000 of each category
            (:func:`most_per_category`), for standard AP the best 300 of each image
            (:func:`most_per_image`).

    Returns:
        Precision and recall, with the derived metrics.

    Raises:
        ValueError: If an image or category index of a detection is out of range, or a score or box
            is not finite.
    """
    detections = _scored(truth, detections)
    K = len(truth.category_ids)
    images, categories, boxes, scores = detections
    pair = images.astype(np.int64) * K + categories
    bounds = np.array(list(AREAS.values()))  # [A, 2]
    gt_ignored = truth.ignore[:, None] | _outside(truth.area, bounds)  # [G, A]
    couples = near_couples(pair, boxes, truth.pair, truth.boxes, THRESHOLDS[0])
    candidates, states = match(*couples, truth.pair, gt_ignored, THRESHOLDS)

    sizes = boxes[:, 2:].astype(np.float64)
    uncounted = (_outside(sizes[:, 0] * sizes[:, 1], bounds)
                 | truth.not_exhaustive[pair][:, None])  # [N, A]
    starts = np.searchsorted(categories, np.arange(K + 1))
    gt_counts = np.stack([np.bincount(truth.pair[~gt_ignored[:, a]] % K, minlength=K)
                          for a in range(len(AREAS))], axis=1)  # [K, A]
    precision = np.full((len(THRESHOLDS), len(RECALLS), K, len(AREAS)), -1.)
    recall = np.full((len(THRESHOLDS), K, len(AREAS)), -1.)
    for a in range(len(AREAS)):
        counted = gt_counts[:, a] > 0
        precision[:, :, counted, a], recall[:, counted, a] = 0., 0.
        for t in range(len(THRESHOLDS)):
            state = np.where(uncounted[:, a], IGNORED, UNMATCHED).astype(np.uint8)
            mine = states[:, a, t]
            state[candidates] = np.where(mine == UNMATCHED, state[candidates], mine)
            for k, curve, reached in _curves(state, starts, gt_counts[:, a]):
                precision[t, :, k, a], recall[t, k, a] = curve, reached
    return LVISResult(precision, recall, truth.frequency, truth.names)


def _outside(area: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return (area[:, None] < bounds[:, 0]) | (area[:, None] > bounds[:, 1])


def _scored(truth: LVISGroundTruth, detections: Detections) -> Detections:
    """Select the detections that count, sorted by category, best first."""
    images, categories, boxes, scores = detections
    for name, index, size in (('image', images, len(truth.image_ids)),
                              ('category', categories, len(truth.category_ids))):
        wrong = (index < 0) | (index >= size)
        if wrong.any():
            raise ValueError(f'a detection is of {name} {index[wrong][0]}, counted from 0: the '
                             f'annotations have {size}')
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError('a detection has a box or score that is no number: look for NaN in '
                         'what the model predicts')
    pair = images.astype(np.int64) * len(truth.category_ids) + categories
    # the reference drops boxes without area, too
    sizes = boxes[:, 2:].astype(np.float64)
    kept = np.flatnonzero(truth.scored[pair] & (sizes[:, 0] * sizes[:, 1] > 0))
    detections = detections.take(kept)
    order = np.lexsort((detections.images, -detections.scores, detections.categories))
    return detections.take(order)


def _curves(state: np.ndarray, starts: np.ndarray, gt_counts: np.ndarray
            ) -> list[tuple[int, np.ndarray, float]]:
    """Iterate over the curves of all categories with a match and a box that counts.

    Only matches are visited: between two of them recall is constant and precision falls.

    Args:
        state: ``[N]`` states of the detections, sorted by category, best first.
        starts: ``[K + 1]`` index where each category begins.
        gt_counts: ``[K]`` number of boxes that count.

    Returns:
        Index of the category, precision ``[R]`` at :data:`RECALLS` and recall.
    """
    hits = np.flatnonzero(state == MATCHED)
    wrong = np.concatenate([[0], np.cumsum(state == UNMATCHED)])  # [N + 1]
    splits = np.searchsorted(hits, starts)
    curves = []
    for k in np.flatnonzero(np.diff(splits)):
        if not gt_counts[k]:
            continue
        mine = hits[splits[k]:splits[k + 1]]
        tp = np.arange(1., len(mine) + 1)
        fp = wrong[mine] - wrong[starts[k]]
        precision = tp / (fp + tp + np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        recall = tp / gt_counts[k]
        at = np.searchsorted(recall, RECALLS, side='left')
        curves.append((int(k), np.append(precision, 0.)[at], float(recall[-1])))
    return curves
