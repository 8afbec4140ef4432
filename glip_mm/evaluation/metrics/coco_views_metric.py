"""COCO AP of several annotation files from one set of predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO

from glip_mm.evaluation.coco_matching import quiet_coco
from glip_mm.registry import METRICS

from .coco_metric import CocoMetric


@METRICS.register_module()
class CocoViewsMetric(CocoMetric):
    """AP of parts of a vocabulary, all names of which compete in the prompt.

    Every view is an annotation file with the images and categories of the others and the boxes of
    some of the categories. A category without a box has no AP and is left out of a mean, so images
    are predicted once however many parts there are. Keys are ``coco/{view}/bbox_mAP`` and so on.

    Args:
        views: Name of the view -> path of its annotation file.
        kwargs: Arguments of :class:`CocoMetric` but ``ann_file``.
    """

    def __init__(self, views: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.views = {name: quiet_coco(path, renumber=True, wrapper=COCO)
                      for name, path in views.items()}
        self._coco_api = next(iter(self.views.values()))  # samples bring no ground truth along

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics of each view."""
        found: dict[str, float] = {}
        for name, annotations in self.views.items():
            self._coco_api = annotations
            ids, self.img_ids = self.label_ids(self.dataset_meta or {}), None
            # the others have no AP, and to match their boxes takes most of the time
            self.cat_ids = [i for i in ids if annotations.catToImgs.get(i)]
            kept = _keep(results, ids, self.cat_ids)
            if not any(len(found['labels']) for _, found in kept):  # MMDetection's has no AP of 0
                self.cat_ids, kept = ids, list(results)
            scores = super().compute_metrics(kept)
            found.update({f'{name}/{key}': value for key, value in scores.items()})
        return found


def _keep(results: list, ids: Sequence[int], kept: Sequence[int]) -> list:
    """Return results whose labels are places in ``kept`` instead of ``ids``, others left out."""
    places = {category: place for place, category in enumerate(kept)}
    new = np.array([places.get(category, -1) for category in ids])
    rows = []
    for truth, found in results:
        labels = new[found['labels']]
        inside = labels >= 0
        rows.append((truth, dict(found, labels=labels[inside], bboxes=found['bboxes'][inside],
                                 scores=found['scores'][inside])))
    return rows
