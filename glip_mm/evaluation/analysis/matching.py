"""Match detections with objects as pycocotools does, class by class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tqdm import tqdm

from glip_mm.evaluation.coco_matching import (
    MAX_DETS,
    coco_of,
    match_boxes,
    mean_precision,
    precision_of,
)

from .ground_truth import GroundTruth
from .results import DatasetResult

#: What became of a detection at IoU 0.5.
FALSE, TRUE, NOT_JUDGED = 0, 1, -1

#: Sizes of COCO, in this order.
SIZES = ('all', 'small', 'medium', 'large')

#: Detections of a class that count in all images (LVIS, fixed AP).
MAX_PER_CLASS = 10000


@dataclass(frozen=True)
class Matches:
    """Detections against ground truth: ``C`` classes, ``D`` detections, ``G`` boxes.

    Attributes:
        precision: ``[C, 10, 101]`` at the IoU thresholds 0.5 to 0.95 and the recalls 0 to 1; NaN
            for classes without boxes.
        ap: ``[C, 4]`` average precision for each of :data:`SIZES`, NaN where there is no box.
        status: ``[D]`` :data:`TRUE`, :data:`FALSE` or :data:`NOT_JUDGED` at IoU 0.5.
        match: ``[D]`` the box that a true detection found, else -1.
        found: ``[G]`` score of the detection that found a box at IoU 0.5, NaN if none did.
        counted: ``[G]`` whether a box must be found (a crowd need not).
        boxes: ``[C]`` number of such boxes of each class.
    """

    precision: np.ndarray
    ap: np.ndarray
    status: np.ndarray
    match: np.ndarray
    found: np.ndarray
    counted: np.ndarray
    boxes: np.ndarray

    def mean_ap(self, iou: float | None = None, size: str = 'all',
                classes: Sequence[int] | None = None) -> float:
        """Average AP over classes that have boxes.

        Args:
            iou: IoU threshold (0.5, 0.55, ...); default: all ten. Only for size ``'all'``.
            size: Size of the boxes, one of :data:`SIZES`.
            classes: Labels to average; default: all.

        Returns:
            A share of 1; NaN if no class has a box.
        """
        values = self.ap[:, SIZES.index(size)] if iou is None else self.class_ap(iou)
        values = values if classes is None else values[list(classes)]
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else float('nan')

    def class_ap(self, iou: float) -> np.ndarray:
        """Return average precision ``[C]`` at one IoU threshold."""
        return self.precision[:, round((iou - 0.5) / 0.05)].mean(axis=1)


def match_dataset(result: DatasetResult, truth: GroundTruth, progress: bool = True) -> Matches:
    """Match a data set by the rules of its benchmark.

    COCO's: the 100 best detections of a class in an image count. Of federated data (LVIS): the
    10,000 best of a class in all images (fixed AP); images where nobody looked for a class do not
    judge it. In data of phrases every phrase of an image is a question of its own.

    Args:
        result: Detections of the run.
        truth: Boxes of the data set.
        progress: Whether to show a progress bar.

    Returns:
        The matches.
    """
    questions = _Questions.of(result, truth)
    count, total = len(truth.classes), len(result.scores)
    precision = np.full((count, 10, 101), np.nan, dtype=np.float32)
    ap = np.full((count, len(SIZES)), np.nan)
    status = np.full(total, NOT_JUDGED, dtype=np.int8)
    match = np.full(total, -1, dtype=np.int64)
    found = np.full(len(truth.boxes), np.nan, dtype=np.float32)
    bars = tqdm(range(count), desc=f'match {result.name}', leave=False, disable=not progress)
    for label, detections, boxes in zip(bars, questions.detections, questions.boxes):
        if not np.any(~truth.crowd[boxes]):
            continue  # a class without boxes is no part of the mean
        detections = _judged(result, truth, label, detections)
        evaluation = _evaluate(
            result.boxes[detections], result.scores[detections],
            questions.of_detection[detections], truth.boxes[boxes], questions.of_box[boxes],
            truth.areas[boxes], truth.crowd[boxes],
            None if truth.listed is None else _partial(truth, label))
        values = precision_of(evaluation)[:, :, 0]
        precision[label] = values[:, :, 0]
        for size in range(len(SIZES)):
            ap[label, size] = mean_precision(values[:, :, size])
        for pair in _pairs(evaluation):
            detection = detections[pair.detection]
            status[detection] = NOT_JUDGED if pair.ignored else TRUE if pair.box >= 0 else FALSE
            if pair.box >= 0 and not pair.ignored:
                match[detection] = boxes[pair.box]
                found[boxes[pair.box]] = result.scores[detection]
    numbers = np.zeros(len(truth.boxes), int) if truth.phrases else truth.labels
    return Matches(precision, ap, status, match, found, ~truth.crowd,
                   np.bincount(numbers[~truth.crowd], minlength=count))


class _Questions(NamedTuple):
    """Detections and boxes of each class, and which of them meet: those of one image."""

    detections: list[np.ndarray]
    boxes: list[np.ndarray]
    of_detection: np.ndarray
    of_box: np.ndarray

    @classmethod
    def of(cls, result: DatasetResult, truth: GroundTruth) -> '_Questions':
        if truth.prompts is not None:
            stride = 1 + max((len(p.entities) for p in truth.prompts), default=0)
            stride = max(stride, 1 + int(result.labels.max(initial=0)))
            return cls([np.arange(len(result.scores))], [np.arange(len(truth.boxes))],
                       result.image * stride + result.labels, truth.image * stride + truth.labels)
        return cls(_by_label(result.labels, len(truth.classes)),
                   _by_label(truth.labels, len(truth.classes)), result.image, truth.image)


def _by_label(labels: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(labels, kind='stable')
    return np.split(order, np.searchsorted(labels[order], np.arange(1, count)))


def _judged(result: DatasetResult, truth: GroundTruth, label: int,
            detections: np.ndarray) -> np.ndarray:
    if truth.listed is None:
        return detections
    looked = np.array([label in listed for listed in truth.listed], dtype=bool)
    # the cap comes first, as where predictions are submitted without the annotations at hand
    best = np.argsort(-result.scores[detections], kind='stable')[:MAX_PER_CLASS]
    detections = detections[np.sort(best)]
    return detections[looked[result.image[detections]]]


def _partial(truth: GroundTruth, label: int) -> set[int]:
    return {image for image, labels in enumerate(truth.partial or ()) if label in labels}


def _evaluate(boxes: np.ndarray, scores: np.ndarray, image: np.ndarray, truth_boxes: np.ndarray,
              truth_image: np.ndarray, areas: np.ndarray, crowd: np.ndarray,
              partial: set[int] | None) -> COCOeval:
    """Match one class by COCO's rules; ids are positions + 1."""
    images = sorted({*image.tolist(), *truth_image.tolist()})
    sides, truth_sides = boxes[:, 2:] - boxes[:, :2], truth_boxes[:, 2:] - truth_boxes[:, :2]
    # in federated data nothing is capped by image
    cap = MAX_DETS if partial is None else max(len(boxes), 1)
    evaluation = match_boxes(
        _coco(images, truth_image, truth_boxes, truth_sides, areas, crowd),
        _coco(images, image, boxes, sides, sides.prod(axis=1), np.zeros(len(boxes), bool), scores),
        max_dets=cap)
    if partial:
        for row in evaluation.evalImgs:
            if row is not None and row['image_id'] in partial:
                row['dtIgnore'] = np.logical_or(row['dtIgnore'], row['dtMatches'] == 0)
    return evaluation


def _coco(images: Sequence[int], image: np.ndarray, boxes: np.ndarray, sides: np.ndarray,
          areas: np.ndarray, crowd: np.ndarray, scores: np.ndarray | None = None) -> COCO:
    rows = [dict(id=i + 1, image_id=int(image[i]), category_id=1, area=float(areas[i]),
                 bbox=[*map(float, boxes[i, :2]), *map(float, sides[i])], iscrowd=int(crowd[i]))
            for i in range(len(boxes))]
    for row, score in zip(rows, () if scores is None else scores):
        row['score'] = float(score)
    return coco_of(dict(images=[dict(id=i) for i in images], annotations=rows,
                        categories=[dict(id=1)]))


class _Pair(NamedTuple):
    detection: int
    box: int
    ignored: bool


def _pairs(evaluation: COCOeval) -> Iterator[_Pair]:
    """Yield what became of each detection at IoU 0.5, boxes of all sizes."""
    whole = list(evaluation.params.areaRng[0])
    for row in evaluation.evalImgs:
        if row is None or list(row['aRng']) != whole:
            continue
        for detection, box, ignored in zip(row['dtIds'], row['dtMatches'][0], row['dtIgnore'][0]):
            yield _Pair(int(detection) - 1, int(box) - 1, bool(ignored))
