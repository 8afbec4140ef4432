"""Phrase grounding recall."""

from collections import OrderedDict
from typing import Dict, List, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from glip_mm.registry import METRICS


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of xyxy boxes ``[n, 4]`` and ``[m, 4]``, without +1: ``[n, m]``."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:],
                                                                       b[None, :, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a, area_b = (np.prod(x[:, 2:] - x[:, :2], axis=1) for x in (a, b))
    return inter / np.maximum(area_a[:, None] + area_b[None] - inter, 1e-12)


def enclosing_box(boxes: np.ndarray) -> np.ndarray:
    """The box around all boxes, ``[n, 4]`` to ``[1, 4]``."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])[None]


@METRICS.register_module()
class PhraseGroundingMetric(BaseMetric):
    """Share of phrases one of whose k best boxes is right (Recall@k of Flickr30k Entities).

    A phrase is a label: ``gt_instances.labels`` and ``pred_instances.labels`` index the entities
    of the prompt. Its predictions are the image's detections of that label, best first; one dummy
    box [0, 0, 0, 0] follows them, so a phrase without detections is a miss. A phrase counts where
    it has at least one ground-truth box. It is hit at k where one of its first k boxes reaches
    ``iou_threshold`` with the target: any of its boxes (protocol ``'any'``, published as
    any-box) or the box around all of them (``'merged'``).

    Results: ``Recall@1``, ..., ``upper_bound`` (all boxes) in 0..1, and ``num_phrases``.

    Args:
        topk: The k's.
        iou_threshold: IoU that makes a hit.
        protocol: ``'any'`` or ``'merged'``.
        collect_device: See MMEngine.
        prefix: Of the result names.

    Raises:
        ValueError: For another protocol.
    """

    default_prefix = 'phrases'

    def __init__(self, topk: Sequence[int] = (1, 5, 10), iou_threshold: float = 0.5,
                 protocol: str = 'any', collect_device: str = 'cpu',
                 prefix: Optional[str] = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if protocol not in ('any', 'merged'):
            raise ValueError(
                f"PhraseGroundingMetric.protocol must be 'any' or 'merged', got '{protocol}'")
        self.topk, self.iou_threshold, self.protocol = tuple(topk), iou_threshold, protocol

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Note for every image the rank of the first right box of each phrase.

        Args:
            data_batch: Unused.
            data_samples: Samples with ``gt_instances`` and ``pred_instances``, boxes in the
                coordinates of the original image. A sample without ``gt_instances`` (of another
                data set of the same run) is noted as one without phrases.
        """
        for sample in data_samples:
            truth, found = sample.get('gt_instances'), sample['pred_instances']
            ranks: List[int] = []
            if truth is not None and 'bboxes' in truth:
                ranks = self._ranks(*(np.asarray(x, dtype=np.float64) for x in (
                    truth['bboxes'], truth['labels'], found['bboxes'].cpu(),
                    found['labels'].cpu(), found['scores'].float().cpu())))
            self.results.append(ranks)

    def _ranks(self, gt_boxes: np.ndarray, gt_labels: np.ndarray, boxes: np.ndarray,
               labels: np.ndarray, scores: np.ndarray) -> List[int]:
        """Of each phrase the 1-based rank of its first right box; -1 where none is right."""
        ranks = []
        for label in np.unique(gt_labels):
            target = gt_boxes[gt_labels == label]
            if self.protocol == 'merged':
                target = enclosing_box(target)
            mine = labels == label
            order = np.argsort(-scores[mine], kind='stable')
            candidates = np.concatenate([boxes[mine][order], np.zeros((1, 4))])
            right = box_iou(candidates, target).max(axis=1) >= self.iou_threshold
            ranks.append(int(right.argmax()) + 1 if right.any() else -1)
        return ranks

    def compute_metrics(self, results: List[List[int]]) -> Dict[str, float]:
        """Recall over all phrases of all images.

        Args:
            results: Ranks of every image.

        Returns:
            The values named in the class.
        """
        ranks = np.array([rank for image in results for rank in image], dtype=np.int64)
        metrics: Dict[str, float] = OrderedDict()
        for k in self.topk:
            hits = (ranks > 0) & (ranks <= k)
            metrics[f'Recall@{k}'] = float(hits.mean()) if len(ranks) else float('nan')
        metrics['upper_bound'] = float((ranks > 0).mean()) if len(ranks) else float('nan')
        metrics['num_phrases'] = len(ranks)
        MMLogger.get_current_instance().info(
            'phrases: ' + '  '.join(f'{k} {v:.4g}' for k, v in metrics.items()))
        return metrics
