"""COCO AP of several annotation files from one set of predictions."""

from collections.abc import Mapping
from typing import Any

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
            self.cat_ids = self.img_ids = None
            scores = super().compute_metrics(list(results))
            found.update({f'{name}/{key}': value for key, value in scores.items()})
        return found
