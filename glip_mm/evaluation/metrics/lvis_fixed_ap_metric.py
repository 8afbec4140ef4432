"""LVIS AP: fixed AP, with which GLIP is published, and standard AP."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import (
    broadcast_object_list,
    collect_results,
    get_world_size,
    is_main_process,
)
from mmengine.evaluator import BaseMetric
from mmengine.fileio import get_local_path
from mmengine.logging import MMLogger

from glip_mm.evaluation.lvis import (
    Detections,
    DetectionStore,
    LVISGroundTruth,
    LVISResult,
    lvis_ap,
    most_per_image,
)
from glip_mm.registry import METRICS

from .samples import array_of


class LVISPart(NamedTuple):
    """Images of one process, ``[n]``, and their detections, boxes xyxy."""

    images: np.ndarray
    detections: Detections


@METRICS.register_module()
class LVISFixedAPMetric(BaseMetric):
    """AP on LVIS.

    *Fixed AP* (Dave et al., "Evaluating Large-Vocabulary Object Detectors: The Devil is in the
    Details") keeps the best 10,000 detections of each category over the whole set without a limit
    per image: a category's AP does not depend on the scores of others. GLIP's numbers
    are of this kind. *Standard AP* keeps the best 300 of each image. They are not comparable, so
    their results have different names: ``lvis/AP`` and ``lvis_standard/AP``.

    Detections are kept as arrays under fixed AP's cap from the first image on: at most 28 bytes
    times 10,000 times the number of categories, whatever the number of images. Label ``i`` is the
    i-th category of the annotation file in the order of ids. All images of the file are scored,
    so an image without a sample counts as one without detections, and a warning gives the number
    of such images; a repeated image counts once.

    Results in 0..1, -1 where undefined: ``AP``, ``AP50``, ``AP75``, ``APs``, ``APm``,
    ``APl`` (sizes), ``APr``, ``APc``, ``APf`` (rare, common and frequent categories), ``AR``,
    ``ARs``, ``ARm``, ``ARl``; of one category ``AP/NAME`` on request.

    Args:
        ann_file: Path of the LVIS annotations.
        fixed_ap: Whether to compute fixed AP; otherwise standard AP.
        topk: Maximum number of detections per category for fixed AP.
        max_per_image: Maximum number of detections per image for standard AP.
        classwise: Whether to report every category that has boxes, too.
        collect_device: Device for collecting results, see MMEngine; ``'cpu'`` uses files.
        prefix: Prefix of the result names; default: ``'lvis'`` for fixed, ``'lvis_standard'`` for
            standard AP.
    """

    def __init__(self, ann_file: str, fixed_ap: bool = True, topk: int = 10_000,
                 max_per_image: int = 300, classwise: bool = False, collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        self.default_prefix = 'lvis' if fixed_ap else 'lvis_standard'
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ann_file, self.fixed_ap, self.topk = ann_file, fixed_ap, topk
        self.max_per_image, self.classwise = max_per_image, classwise
        with get_local_path(ann_file) as path:
            self.truth = LVISGroundTruth.load(path)
        self._image_of = {int(v): i for i, v in enumerate(self.truth.image_ids)}
        #: Result of the last evaluation: curves, AP of each category.
        self.result: LVISResult | None = None
        self._start()

    def _start(self) -> None:
        # standard AP's cap is applied per image, before images arrive here
        self._store = DetectionStore(self.topk if self.fixed_ap else None)
        self._seen: dict[int, None] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add the detections of a batch.

        Args:
            data_batch: Unused.
            data_samples: Samples with ``img_id`` and ``pred_instances``, boxes xyxy in pixels of
                the original image.

        Raises:
            ValueError: If an image or a label is not in the annotations.
        """
        for sample in data_samples:
            image = self._image_of.get(int(sample['img_id']))
            if image is None:
                raise ValueError(f"image {sample['img_id']} is not in '{self.ann_file}': the test "
                                 'dataset and the metric must name the same ann_file')
            if image in self._seen:
                continue
            self._seen[image] = None
            self._store.add(self._detections(image, sample['pred_instances']))

    def _detections(self, image: int, found: Any) -> Detections:
        labels = array_of(found['labels']).astype(np.int32)
        known = len(self.truth.category_ids)
        if len(labels) and not 0 <= labels.min() <= labels.max() < known:
            wrong = labels[(labels < 0) | (labels >= known)][0]
            raise ValueError(f"image {self.truth.image_ids[image]} has a detection of label "
                             f"{wrong}, but '{self.ann_file}' has {known} categories: is the "
                             "dataset's metainfo.classes the list of all of them, in id order?")
        # kept as float32 xyxy, half the memory of double precision xywh
        detections = Detections(np.full(len(labels), image, np.int32), labels,
                                array_of(found['bboxes']).reshape(-1, 4),
                                array_of(found['scores']))
        return detections if self.fixed_ap else most_per_image(detections, self.max_per_image)

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the capped detections of all processes, and score them on the first.

        Args:
            size: Unused: images are known by their ids.

        Returns:
            The results, named with the prefix, on all processes.
        """
        part = LVISPart(np.array(list(self._seen), dtype=np.int64), self._store.detections())
        self._start()
        parts = collect_results([part], get_world_size(), self.collect_device)
        metrics: list[Any] = [None]
        if is_main_process():
            metrics = [{f'{self.prefix}/{name}': value
                        for name, value in self.compute_metrics(parts).items()}]
        broadcast_object_list(metrics)
        return metrics[0]

    def compute_metrics(self, results: Sequence[LVISPart]) -> dict[str, float]:
        """Score the detections of all processes.

        Args:
            results: Detections of each process.

        Returns:
            Values of the metrics that the class lists.
        """
        logger = MMLogger.get_current_instance()
        self._check_classes()
        seen = np.zeros(len(self.truth.image_ids), dtype=bool)
        store = DetectionStore(self.topk if self.fixed_ap else None)
        for images, detections in results:
            # samplers repeat images to give all processes the same number
            store.add(detections.take(~seen[detections.images]))
            seen[images] = True
        if not seen.all():
            logger.warning(f"{(~seen).sum()} of {len(seen)} images of '{self.ann_file}' were not "
                           'tested: their boxes count as missed')
        self.result = lvis_ap(self.truth, _with_sizes(store.detections()))
        metrics = OrderedDict(self.result.metrics)
        kind = (f'fixed AP ({self.topk:,} detections a category)' if self.fixed_ap else
                f'standard AP ({self.max_per_image} detections an image)')
        logger.info(f'LVIS {kind}: ' + '  '.join(f'{k} {v:.4g}' for k, v in metrics.items()))
        if self.classwise:
            metrics.update({f'AP/{name}': float(ap) for name, ap in zip(
                self.result.names, self.result.ap_per_class) if ap > -1})
        return metrics

    def _check_classes(self) -> None:
        classes = (self.dataset_meta or {}).get('classes')
        known = len(self.truth.category_ids)
        if classes is not None and len(classes) != known:
            raise ValueError(f"the dataset has {len(classes)} classes ({classes[0]}, ...) and "
                             f"'{self.ann_file}' has {known} categories ({self.truth.names[0]}, "
                             '...): a label would mean different things to them')


def _with_sizes(detections: Detections) -> Detections:
    # double precision, as in a results file: there differences of float32 corners are exact
    boxes = detections.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return detections._replace(boxes=boxes)
