"""AP of descriptions (D3): each image is asked for the descriptions of its own scenario."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from glip_mm.evaluation.coco_matching import (
    coco_results,
    match_boxes,
    mean_precision,
    precision_of,
    quiet_coco,
)
from glip_mm.registry import METRICS

#: Names of lengths in words, each with the largest that belongs to it.
LENGTHS = dict(short=3, mid=6, long=9, very_long=np.inf)


@METRICS.register_module()
class DescriptionMetric(BaseMetric):
    """COCO's AP with a category for every description, over subsets of the descriptions.

    The published subsets are three files of the same images: all descriptions (FULL), those that
    say what is there (PRES), and those that say what is not (ABS: *a person without a helmet*).
    Detections are matched with the boxes of each file, so that one test gives all three.
    MMDetection's ``DODCocoMetric`` computes the same numbers of one file, rounded.

    Results for each subset: ``NAME_mAP``, ``NAME_mAP_50``, ``NAME_mAP_75`` in 0..1, and the mean
    over descriptions of up to 3, 6, 9 and more words: ``NAME_mAP_short``, ``_mid``, ``_long``,
    ``_very_long``; those without a box in any image count in no mean.

    Args:
        subsets: Annotation file of each subset. Categories are descriptions; samples say in
            ``category_ids`` which one each label is.
        collect_device: Device for collecting results, see MMEngine.
        prefix: Prefix of the result names.

    Raises:
        FileNotFoundError: If a file is missing.
    """

    default_prefix = 'd3'

    def __init__(self, subsets: Mapping[str, str], collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        super().__init__(collect_device, prefix)
        self.truths = {name: quiet_coco(path, renumber=True) for name, path in subsets.items()}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take the detections of a batch, see MMEngine."""
        for sample in data_samples:
            found = sample['pred_instances']
            boxes = tuple(found[key].cpu().numpy() for key in ('bboxes', 'scores', 'labels'))
            self.results.append(coco_results({sample['img_id']: boxes}, sample['category_ids']))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics, see MMEngine."""
        rows = [row for image in results for row in image]
        metrics = {}
        for name, truth in self.truths.items():
            known = set(truth.getCatIds())
            matches = match_boxes(truth, [row for row in rows if row['category_id'] in known],
                                  all_sizes=False)
            precision = precision_of(matches)[..., 0]
            metrics[f'{name}_mAP'] = mean_precision(precision)
            metrics[f'{name}_mAP_50'] = mean_precision(precision[0])
            metrics[f'{name}_mAP_75'] = mean_precision(precision[5])
            words = [len(row['name'].split(' ')) for row in truth.loadCats(truth.getCatIds())]
            of_length = np.searchsorted(list(LENGTHS.values()), words)
            for index, length in enumerate(LENGTHS):
                metrics[f'{name}_mAP_{length}'] = mean_precision(precision[..., of_length == index])
        return metrics
