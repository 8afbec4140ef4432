"""Sort errors: kinds of false detections, missed boxes, classes taken for another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glip_mm.box_iou import box_iou

from .ground_truth import GroundTruth
from .matching import FALSE, TRUE, Matches
from .results import DatasetResult

#: Kinds of errors, in the order they are counted and drawn.
KINDS = dict(
    other='wrong name', placed='poorly placed', twice='found twice', nothing='nothing there',
    missed='missed')


@dataclass(frozen=True)
class FalseDetection:
    """A detection that is wrong.

    Attributes:
        detection: Position in the result.
        kind: Kind of error, one of :data:`KINDS`.
        box: Box that it overlaps most, or -1.
        iou: IoU with that box.
    """

    detection: int
    kind: str
    box: int
    iou: float


@dataclass(frozen=True)
class Errors:
    """Errors at one score.

    Attributes:
        threshold: Score below which detections are left out.
        false: False detections, the surest first.
        missed: ``[M]`` boxes that were not found, worst first: those with no detection at all,
            large ones before small ones, then those with one below the threshold.
        counts: Number of errors by kind.
        correct: Number of true detections.
        confusion: ``[C + 1, C + 1]`` boxes (rows) and what they were taken for (columns), each
            name that a box was given; the last column: given none, the last row: detections that
            are false in another way. Zeros where labels are phrases.
    """

    threshold: float
    false: list[FalseDetection]
    missed: np.ndarray
    counts: dict[str, int]
    correct: int
    confusion: np.ndarray

    @property
    def precision(self) -> float:
        """Return the share of detections that are true; NaN without detections."""
        return _share(self.correct, self.correct + len(self.false))

    @property
    def recall(self) -> float:
        """Return the share of boxes that were found; NaN without boxes."""
        return _share(self.correct, self.correct + len(self.missed))


def best_threshold(result: DatasetResult, matches: Matches, label: int | None = None,
                   precision: float | None = None) -> float:
    """Find the score at which F1 over the detections of a data set is highest.

    Args:
        result: Detections of the run.
        matches: Matches of the detections.
        label: Label of the detections; default: all.
        precision: Find the lowest score instead from which this share of detections is true.

    Returns:
        The score; 1 if nothing is true, or the precision is not reached.
    """
    judged = (matches.status == TRUE) | (matches.status == FALSE)
    boxes = matches.counted.sum() if label is None else matches.boxes[label]
    rows = np.flatnonzero(judged if label is None else judged & (result.labels == label))
    order = rows[np.argsort(-result.scores[rows], kind='stable')]
    true = np.cumsum(matches.status[order] == TRUE)
    if not len(true) or not true[-1]:
        return 1.
    count = np.arange(1, len(order) + 1)
    # detections of one score come and go together
    last = np.append(np.diff(result.scores[order]) != 0, True)
    if precision is None:
        return float(result.scores[order][np.where(last, 2 * true / (count + boxes), -1).argmax()])
    enough = np.flatnonzero(last & (true >= precision * count))
    return float(result.scores[order][enough[-1]]) if len(enough) else 1.


def find_errors(result: DatasetResult, truth: GroundTruth, matches: Matches,
                threshold: float) -> Errors:
    """Sort the errors of a data set.

    A false detection has the *wrong name* if it overlaps a box of another class by 0.5 or more, is
    *found twice* if it overlaps one of its own class so, which another detection found, is *poorly
    placed* if it overlaps one of its class by 0.1 or more, and else *nothing* is *there*. Its own
    class comes first.

    Args:
        result: Detections of the run.
        truth: Boxes of the data set.
        matches: Matches of both.
        threshold: Score below which detections are left out.

    Returns:
        The errors.
    """
    shown = result.scores >= threshold
    wrong = np.flatnonzero((matches.status == FALSE) & shown)
    wrong = wrong[np.argsort(-result.scores[wrong], kind='stable')]
    by_image = _rows_by(truth.image, len(result.images))
    kinds: dict[int, FalseDetection] = {}
    for image in np.unique(result.image[wrong]):
        here = wrong[result.image[wrong] == image]
        kinds.update(zip(here.tolist(), _classify(result, truth, here, by_image[image])))
    false = [kinds[detection] for detection in wrong.tolist()]
    found = np.nan_to_num(matches.found, nan=-1.)
    judged = matches.boxes[_class_of(truth)] > 0 if len(truth.boxes) else np.zeros(0, bool)
    missed = np.flatnonzero(matches.counted & judged & (found < threshold))
    missed = missed[np.lexsort((-truth.areas[missed], found[missed]))]
    counts = {kind: sum(error.kind == kind for error in false) for kind in KINDS}
    counts['missed'] = len(missed)
    right = np.flatnonzero((matches.status == TRUE) & shown)
    return Errors(threshold, false, missed, counts, len(right),
                  _confusion(result, truth, right, false, missed))


def _classify(result: DatasetResult, truth: GroundTruth, detections: np.ndarray,
              boxes: np.ndarray) -> list[FalseDetection]:
    overlaps = box_iou(result.boxes[detections], truth.boxes[boxes])
    same = truth.labels[boxes][None] == result.labels[detections][:, None]
    return [FalseDetection(int(detection), *_kind(row, own, boxes))
            for detection, row, own in zip(detections, overlaps, same)]


def _kind(overlaps: np.ndarray, own: np.ndarray, boxes: np.ndarray) -> tuple[str, int, float]:
    best_own = float(overlaps[own].max(initial=0))
    best_other = float(overlaps[~own].max(initial=0))
    if best_own >= 0.5:
        kind, group, best = 'twice', own, best_own
    elif best_other >= 0.5:
        kind, group, best = 'other', ~own, best_other
    elif best_own >= 0.1:
        kind, group, best = 'placed', own, best_own
    else:
        return 'nothing', -1, 0.
    return kind, int(boxes[group][overlaps[group].argmax()]), best


def _confusion(result: DatasetResult, truth: GroundTruth, right: np.ndarray,
               false: Sequence[FalseDetection], missed: np.ndarray) -> np.ndarray:
    count = len(truth.classes)
    table = np.zeros((count + 1, count + 1), dtype=np.int64)
    if truth.phrases:
        return table
    np.add.at(table, (result.labels[right], result.labels[right]), 1)
    named = set()
    for error in false:
        wrong = error.kind == 'other'
        named.update([error.box] if wrong else [])
        row = truth.labels[error.box] if wrong else count
        table[row, result.labels[error.detection]] += 1
    lost = [box for box in missed.tolist() if box not in named]
    np.add.at(table, (truth.labels[lost], np.full(len(lost), count)), 1)
    return table


def pick_worst(images: Sequence[int], labels: Sequence[int], limit: int,
               per_label: int = 3) -> list[int]:
    """Choose errors to show: at most one of an image and a few of a class.

    Args:
        images: Image of each error, worst error first.
        labels: Class of each error.
        limit: Maximum number of errors.
        per_label: Maximum number of errors of a class.

    Returns:
        Positions, in order.
    """
    seen: set[int] = set()
    counts: dict[int, int] = {}
    chosen: list[int] = []
    for position, (image, label) in enumerate(zip(images, labels)):
        if len(chosen) == limit:
            break
        if image not in seen and counts.get(label, 0) < per_label:
            seen.add(image)
            counts[label] = counts.get(label, 0) + 1
            chosen.append(position)
    return chosen


def top_confusions(errors: Errors, classes: Sequence[str],
                   limit: int = 20) -> Iterable[tuple[str, str, int]]:
    """Find the classes that are most often confused: truth, taken for, how often."""
    table = errors.confusion[:-1, :-1].copy()
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind='stable')[:limit]
    for row, column in zip(*np.unravel_index(order, table.shape)):
        if table[row, column]:
            yield classes[row], classes[column], int(table[row, column])


def _class_of(truth: GroundTruth) -> np.ndarray:
    return np.zeros(len(truth.boxes), dtype=np.int64) if truth.phrases else truth.labels


def _rows_by(values: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(values, kind='stable')
    return np.split(order, np.searchsorted(values[order], np.arange(1, count)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')
