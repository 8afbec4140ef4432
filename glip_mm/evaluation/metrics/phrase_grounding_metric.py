"""Phrase grounding recall."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from glip_mm.box_iou import box_iou
from glip_mm.registry import METRICS

from .samples import array_of

PROTOCOLS = {'any': ('any',), 'merged': ('merged',), 'both': ('any', 'merged')}


def enclosing_box(boxes: np.ndarray) -> np.ndarray:
    """Compute the box that encloses all boxes, ``[n, 4]`` to ``[1, 4]``."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])[None]


def first_hit(boxes: np.ndarray, scores: np.ndarray, target: np.ndarray,
              iou_threshold: float) -> int:
    """Return the 1-based rank of the best-scored box that hits a target; -1 if none does.

    Equal scores keep the order given. As published, a dummy box [0, 0, 0, 0] comes last, so
    that no phrase is without a box; it hits nothing.

    Args:
        boxes: ``[n, 4]`` xyxy boxes.
        scores: ``[n]`` scores.
        target: ``[m, 4]`` boxes, any of which may be hit.
        iou_threshold: IoU threshold of a hit.
    """
    ranked = boxes[np.argsort(-scores, kind='stable')]
    candidates = np.concatenate([ranked, np.zeros((1, 4))])
    right = box_iou(candidates, target).max(axis=1) >= iou_threshold
    return int(right.argmax()) + 1 if right.any() else -1


class SentenceResult(NamedTuple):
    """Result of a sample.

    Attributes:
        identity: Data set, image and sentence; None if the sample has no ``sentence_id``.
        ranks: Ranks of each phrase in each protocol, see :func:`first_hit`.
        types: Types of each phrase.
    """

    identity: tuple | None
    ranks: list[tuple[int, ...]]
    types: list[tuple[str, ...]]


@METRICS.register_module()
class PhraseGroundingMetric(BaseMetric):
    """Share of phrases that one of the k best boxes hits (Recall@k of Flickr30k Entities).

    A phrase is a label: ``gt_instances.labels`` and ``pred_instances.labels`` index the entities
    of the prompt. Its predictions are the image's detections of that label, best first, and a
    phrase without any is a miss. A phrase counts if it has at least one ground-truth box. It
    is hit at k if one of its first k boxes reaches ``iou_threshold`` with the target: any of
    its boxes (protocol ``'any'``, published as any-box) or the box around all of them
    (``'merged'``, published as merged-box).

    Results: ``Recall@1``, ..., ``upper_bound`` (all boxes) in 0..1, and ``num_phrases``. If
    samples have ``phrase_types``, the same for each type: ``Recall@1/people``; a phrase of two
    types counts for both, and once for all. Protocol ``'both'`` prefixes all names with ``any/``
    and ``merged/``.

    Args:
        topk: Values of k.
        iou_threshold: IoU threshold of a hit.
        protocol: Name of the protocol: ``'any'``, ``'merged'`` or ``'both'``.
        collect_device: Device for collecting results, see MMEngine.
        prefix: Prefix of the result names.

    Raises:
        ValueError: If the protocol is unknown, or a k is below 1.
    """

    default_prefix = 'phrases'
    #: Name of the share at k in results.
    share = 'Recall'

    def __init__(self, topk: Sequence[int] = (1, 5, 10), iou_threshold: float = 0.5,
                 protocol: str = 'any', collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if protocol not in PROTOCOLS:
            raise ValueError(f"{type(self).__name__}.protocol must be 'any', 'merged' or 'both', "
                             f"got '{protocol}'")
        if any(k < 1 for k in topk):
            raise ValueError(f'{type(self).__name__}.topk must be numbers from 1, got '
                             f'{tuple(topk)}; all boxes are always reported, as upper_bound')
        self.topk, self.iou_threshold, self.protocol = tuple(topk), iou_threshold, protocol

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Record for every sample the rank of the first hit of each phrase.

        Args:
            data_batch: Unused.
            data_samples: Samples with ``gt_instances`` and ``pred_instances``, boxes in the
                coordinates of the original image, and if known ``phrase_types`` (of
                each label a type, several or None) and ``sentence_id``. A sample without
                ``gt_instances`` (of another data set of the same run) counts as one without
                phrases.

        Raises:
            ValueError: If a phrase with boxes has no entry in ``phrase_types``.
        """
        for sample in data_samples:
            identity = None
            if sample.get('sentence_id') is not None:
                identity = (sample.get('dataset_name'), sample.get('img_id'),
                            sample['sentence_id'])
            truth, found = sample.get('gt_instances'), sample['pred_instances']
            ranks: list[tuple[int, ...]] = []
            types: list[tuple[str, ...]] = []
            if truth is not None and 'bboxes' in truth:
                gt_labels = array_of(truth['labels'])
                ranks = self._ranks(*(np.asarray(array_of(x), dtype=np.float64) for x in (
                    truth['bboxes'], gt_labels, found['bboxes'], found['labels'],
                    found['scores'])))
                types = self._types(sample, gt_labels)
            self.results.append(SentenceResult(identity, ranks, types))

    def _types(self, sample: dict, gt_labels: np.ndarray) -> list[tuple[str, ...]]:
        known = sample.get('phrase_types')
        labels = np.unique(gt_labels).astype(int).tolist()
        if known is None:
            return [()] * len(labels)
        if labels and labels[-1] >= len(known):
            raise ValueError(f"image {sample.get('img_id')} has boxes of phrase {labels[-1]} "
                             f'(counted from 0), but phrase_types has {len(known)} entries: it '
                             'needs one for each phrase')
        return [(known[label],) if isinstance(known[label], str) else
                tuple(dict.fromkeys(known[label] or ())) for label in labels]

    def _ranks(self, gt_boxes: np.ndarray, gt_labels: np.ndarray, boxes: np.ndarray,
               labels: np.ndarray, scores: np.ndarray) -> list[tuple[int, ...]]:
        """Compute the rank of each phrase, by label, in each protocol."""
        ranks = []
        boxes = boxes.reshape(-1, 4)
        for label in np.unique(gt_labels):
            target = gt_boxes[gt_labels == label]
            mine = labels == label
            ranks.append(tuple(
                first_hit(boxes[mine], scores[mine],
                          enclosing_box(target) if protocol == 'merged' else target,
                          self.iou_threshold) for protocol in PROTOCOLS[self.protocol]))
        return ranks

    def compute_metrics(self, results: list[SentenceResult]) -> dict[str, float]:
        """Compute the shares over all phrases of all sentences, each sentence once.

        Args:
            results: Results of every sample.

        Returns:
            Values of the metrics that the class lists.
        """
        logger = MMLogger.get_current_instance()
        results = [SentenceResult(*result) for result in results]  # MMEngine makes them tuples
        sentences = _without_repetitions(results)
        if len(sentences) < len(results):
            logger.warning(f'{len(results) - len(sentences)} sentences came more than once, by '
                           'image and sentence_id: each counts once, as it came first')
        phrases = [pair for _, ranks, types in sentences for pair in zip(ranks, types)]
        metrics: dict[str, float] = OrderedDict()
        for index, protocol in enumerate(PROTOCOLS[self.protocol]):
            head = f'{protocol}/' if self.protocol == 'both' else ''
            groups: dict[str, list[int]] = {'': []}
            for ranks, types in phrases:
                for name in ('', *types):
                    groups.setdefault(name, []).append(ranks[index])
            for name in sorted(groups):
                tail = f'/{name}' if name else ''
                metrics.update({f'{head}{key}{tail}': value
                                for key, value in self._shares(groups[name]).items()})
        return metrics

    def _shares(self, ranks: list[int]) -> dict[str, float]:
        found = np.array(ranks, dtype=np.int64)
        shares: dict[str, float] = {
            f'{self.share}@{k}': float(((found > 0) & (found <= k)).mean()) if ranks
            else float('nan') for k in self.topk}
        shares['upper_bound'] = float((found > 0).mean()) if ranks else float('nan')
        shares['num_phrases'] = len(ranks)
        return shares


def _without_repetitions(results: list[SentenceResult]) -> list[SentenceResult]:
    first: dict[Any, SentenceResult] = {}
    for index, result in enumerate(results):
        first.setdefault(index if result.identity is None else result.identity, result)
    return list(first.values())
