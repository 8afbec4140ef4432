"""Diagnosis of a first evaluation without any correct detection."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.registry import HOOKS

#: Number of images whose detections are compared with the ground truth.
IMAGES = 200


@HOOKS.register_module()
class FirstEvaluationHook(Hook):
    """Warns with the likely cause if all metrics of the first evaluation are exactly 0.

    An average precision of 0.000 means a mistake, or a training that has hardly begun, not a bad
    model. The detections themselves tell which: whether there are any, their scores, and whether
    they match ground-truth boxes with their own label, with another class or not at all. Later
    evaluations are not examined.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._done = False
        self._forget()

    def _forget(self) -> None:
        self._images = self._boxes = self._annotated = self._hit = self._named = 0
        self._best = 0.

    def before_val_epoch(self, runner: Runner) -> None:
        """Reset the counts."""
        self._forget()

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                       outputs: Sequence[Any] | None = None) -> None:
        """Count detections and matches of a batch."""
        if self._done:
            return
        for sample in outputs or ():
            found = getattr(sample, 'pred_instances', None)
            if found is None or 'scores' not in found:
                continue
            self._images += 1
            self._boxes += len(found)
            if len(found):
                self._best = max(self._best, float(found.scores.max()))
            if self._images <= IMAGES:
                self._compare(found, getattr(sample, 'gt_instances', None))

    def _compare(self, found: Any, truth: Any) -> None:
        if truth is None or 'bboxes' not in truth or 'labels' not in truth or not len(truth):
            return
        self._annotated += len(truth)
        if not len(found):
            return
        boxes = getattr(truth.bboxes, 'tensor', truth.bboxes).to(found.bboxes)
        near = bbox_overlaps(boxes, found.bboxes) >= 0.5
        same = truth.labels.to(found.labels)[:, None] == found.labels[None]
        self._hit += int(near.any(1).sum())
        self._named += int((near & same).any(1).sum())

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """Warn if nothing was found in the first evaluation."""
        if self._done:
            return
        self._done = True
        # CocoMetric returns no metrics at all if there were no predictions
        nothing = found_nothing(metrics) if metrics else not self._boxes
        if self._images and nothing:
            runner.logger.warning(self.message(runner.iter))

    def message(self, iteration: int) -> str:
        """Describe cause and remedy from the counts."""
        counted = (f'{self._boxes} boxes in {self._images} images, the highest score '
                   f'{self._best:.3f}')
        if self._annotated:
            counted += (f'; of {self._annotated} annotated boxes {self._hit} are hit (IoU 0.5) by '
                        f'a box of any class, {self._named} by one of their own')
        if not self._boxes:
            cause = ('No box scores above model.test_cfg.score_thr: the training is too young or '
                     'does not learn. Remedy: see in the log that loss_region_word falls, raise '
                     'the learning rate or train_cfg.max_epochs, and load a pretrained checkpoint '
                     'with load_from')
        elif self._hit and not self._named:
            cause = ('Objects are found but named wrongly: labels of evaluation and training '
                     'stand for different classes. Remedy: give metainfo.classes the names and '
                     'order of the categories, in training and in evaluation')
        elif self._named:
            cause = ('Objects are found, but the metric does not see it: it reads other '
                     'annotations. Remedy: give val_evaluator the ann_file of val_dataloader')
        else:
            cause = ('Boxes lie where no object is: the model has not learned to place them yet, '
                     'or images and boxes do not belong together. Remedy: train longer, load a '
                     'pretrained checkpoint with load_from, check that mean, std and bgr_to_rgb '
                     'of the data preprocessor are those of the weights, and look at the training '
                     'samples with tools/analysis_tools/browse_grounding_dataset.py')
        return (f'all metrics of the first evaluation (iteration {iteration}) are 0, of '
                f'{counted}. {cause}. See docs/troubleshooting.md')


def found_nothing(metrics: Mapping[str, Any]) -> bool:
    """Return whether all metrics say that nothing was found.

    Args:
        metrics: Results of an evaluation; -1 and nan mark metrics that could not be computed.
    """
    values = []
    for value in metrics.values():
        try:
            values.append(float(value.item() if isinstance(value, torch.Tensor) else value))
        except (TypeError, ValueError):  # tables and names
            continue
    measured = [v for v in values if math.isfinite(v) and v >= 0]
    return bool(measured) and max(measured) == 0
