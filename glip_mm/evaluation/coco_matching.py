"""Boxes in the forms of pycocotools, and its matching, without its output on the screen.

Letters: ``T`` IoU thresholds, ``R`` recalls, ``C`` categories, ``S`` sizes (all, small, medium,
large).
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from glip_mm.datasets.coco_file import read_coco

#: Detections of an image that count.
MAX_DETS = 100


def best_detections(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray,
                    max_dets: int = MAX_DETS) -> tuple:
    """Return the detections of an image that count: boxes, scores and labels, best first."""
    best = np.argsort(-scores, kind='stable')[:max_dets]
    return boxes[best], scores[best], labels[best]


def coco_results(found: Mapping[Any, tuple], ids: Sequence[int]) -> list[dict]:
    """Convert detections to COCO's result rows.

    Args:
        found: Image id -> boxes ``[n, 4]`` xyxy half open, scores and labels.
        ids: Category of each label.

    Raises:
        ValueError: If a label has no category.
    """
    rows = []
    for image, (boxes, scores, labels) in found.items():
        if len(labels) and int(labels.max()) >= len(ids):
            raise ValueError(f'image {image} has a detection of label {int(labels.max())}, but its '
                             f'annotation file has {len(ids)} categories')
        for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores.tolist(),
                                                  labels.tolist()):
            rows.append(dict(image_id=image, category_id=ids[label], score=score,
                             bbox=[x1, y1, x2 - x1, y2 - y1]))
    return rows


def quiet_coco(path: str | Path, renumber: bool = False, wrapper: type[COCO] = COCO) -> COCO:
    """Read an annotation file, see :func:`glip_mm.datasets.coco_file.read_coco`.

    Args:
        path: The file.
        renumber: Whether annotations get new ids, see :class:`.metrics.ODinWMetric`.
        wrapper: Class of the result.
    """
    content = read_coco(path)
    for i, row in enumerate(content['annotations'], 1):
        row['id'] = i if renumber else row['id']
    return coco_of(content, wrapper)


def coco_of(content: dict, wrapper: type[COCO] = COCO) -> COCO:
    """Index the content of an annotation file."""
    coco = wrapper()
    content.setdefault('info', {})  # loadRes reads it
    coco.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def match_boxes(truth: COCO, found: COCO | Sequence[Mapping],
                category_ids: Sequence[int] | None = None, image_ids: Sequence | None = None,
                max_dets: int = MAX_DETS, all_sizes: bool = True) -> COCOeval:
    """Match detections with boxes by the rules of COCO.

    Args:
        truth: Annotations.
        found: Detections, as :func:`coco_results` gives them or indexed already.
        category_ids: Categories to match; default: all of the file.
        image_ids: Images to match; default: all of the file.
        max_dets: Number of detections of a category in an image that count.
        all_sizes: Whether boxes are also matched by size; else only all sizes together.

    Returns:
        The evaluation; ``evalImgs`` has the matches of each category, size and image.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        if not isinstance(found, COCO):
            found = truth.loadRes(list(found)) if found else COCO()
        evaluation = COCOeval(truth, found, 'bbox')
        params = evaluation.params
        params.maxDets = [max_dets]
        if category_ids is not None:
            params.catIds = list(category_ids)
        if image_ids is not None:
            params.imgIds = list(image_ids)
        if not all_sizes:
            params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
        evaluation.evaluate()
    return evaluation


def precision_of(evaluation: COCOeval) -> np.ndarray:
    """Return precision ``[T, R, C, S]`` of matched boxes; -1 where there is no box to find."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    return evaluation.eval['precision'][..., -1]


def mean_precision(precision: np.ndarray) -> float:
    """Return the mean over what has boxes to find; NaN if nothing has."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else float('nan')
