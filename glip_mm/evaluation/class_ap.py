"""AP of single classes, over all images or over bootstrap samples of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO

from .coco_matching import MAX_DETS, match_boxes

#: Percentiles of resampled differences that bound a 95 % interval.
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class ClassMatches:
    """Matches of a class's ``D`` detections in ``N`` images, at ``T`` IoU thresholds.

    Attributes:
        scores: ``[D]`` scores of the detections.
        images: ``[D]`` index of the detection's image.
        correct: ``[T, D]`` whether the detection matches a box.
        wrong: ``[T, D]`` whether it is a false positive; both are False if it matches a crowd.
        boxes: ``[N]`` number of ground-truth boxes in each image.
    """

    scores: np.ndarray
    images: np.ndarray
    correct: np.ndarray
    wrong: np.ndarray
    boxes: np.ndarray

    def average_precision(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Compute COCO AP, averaged over all thresholds, with weighted images.

        Args:
            weights: ``[S, N]`` counts of the images in each of ``S`` samples; default: all once.

        Returns:
            ``[S]`` APs in 0..1; nan without ground truth.
        """
        if weights is None:
            weights = np.ones((1, len(self.boxes)))
        recalls = np.linspace(0, 1, 101)
        order = np.argsort(-self.scores, kind='mergesort')
        images = self.images[order]
        right, wrong = self.correct[:, order], self.wrong[:, order]
        result = np.full(len(weights), np.nan)
        for sample, counts in enumerate(weights):
            total = counts @ self.boxes
            if not total:
                continue
            # an image that was drawn twice contributes its detections in sequence
            tp = np.cumsum(right * counts[images], axis=1)
            fp = np.cumsum(wrong * counts[images], axis=1)
            precision = tp / (tp + fp + np.spacing(1))
            precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            values = np.zeros((len(tp), len(recalls)))
            for row, recall, best in zip(values, tp / total, precision):
                place = np.searchsorted(recall, recalls, side='left')
                reached = place < len(recall)
                row[reached] = best[place[reached]]
            result[sample] = values.mean()
        return result


def match_classes(truth: COCO, rows: Sequence[Mapping], category_ids: Sequence[int],
                  image_ids: Sequence, max_dets: int = MAX_DETS) -> list[ClassMatches]:
    """Match detections with ground truth as pycocotools does.

    Args:
        truth: Ground truth.
        rows: Detections in COCO's form, see :func:`.coco_matching.coco_results`.
        category_ids: Category ids of the classes, ascending.
        image_ids: Ids of the evaluated images.
        max_dets: Maximum number of detections per class and image.

    Returns:
        Matches of each class; their images are in ascending order of id.
    """
    evaluation = match_boxes(truth, rows, category_ids, image_ids, max_dets, all_sizes=False)
    params = evaluation.params
    size, thresholds = len(params.imgIds), len(params.iouThrs)
    return [_join(evaluation.evalImgs[k * size:(k + 1) * size], thresholds)
            for k in range(len(category_ids))]


def _join(images: Sequence[Mapping | None], thresholds: int) -> ClassMatches:
    scores, places = [np.zeros(0)], [np.zeros(0, int)]
    matched, ignored = ([np.zeros((thresholds, 0), bool)] for _ in range(2))
    boxes = np.zeros(len(images))
    for place, image in enumerate(images):
        if image is None:  # neither a box nor a detection
            continue
        boxes[place] = np.sum(np.asarray(image['gtIgnore']) == 0)
        scores.append(np.asarray(image['dtScores'], float))
        places.append(np.full(len(scores[-1]), place))
        matched.append(np.asarray(image['dtMatches']).reshape(thresholds, -1) != 0)
        ignored.append(np.asarray(image['dtIgnore']).reshape(thresholds, -1) != 0)
    hit, ignore = np.concatenate(matched, axis=1), np.concatenate(ignored, axis=1)
    return ClassMatches(np.concatenate(scores), np.concatenate(places), hit & ~ignore,
                        ~hit & ~ignore, boxes)


def resampled_images(count: int, samples: int, seed: int = 0) -> np.ndarray:
    """Draw how often each of ``count`` images is in each bootstrap sample, ``[S, N]``."""
    return np.random.default_rng(seed).multinomial(
        count, np.full(count, 1 / count), size=samples).astype(float)


def difference_interval(before: np.ndarray, after: np.ndarray) -> tuple[float, float] | None:
    """Compute the 95 % interval of a difference from paired bootstrap samples.

    Args:
        before: ``[S]`` values before; nan samples are left out.
        after: ``[S]`` values after, of the same samples.

    Returns:
        Lower and upper end; None if no sample is left.
    """
    difference = after - before
    difference = difference[~np.isnan(difference)]
    if not difference.size:
        return None
    low, high = np.percentile(difference, INTERVAL)
    return float(low), float(high)
