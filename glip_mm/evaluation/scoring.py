"""Metrics of stored predictions."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement
from tqdm import tqdm

from glip_mm.compat import single_process

from .predictions import Prediction, PredictionStore

#: Number of images per call of the metrics.
BATCH = 64


def to_prediction(index: int, sample: BaseDataElement, classes: tuple[str, ...],
                  names: tuple[str, ...] | None) -> Prediction:
    """Extract a data sample's predictions and all fields that metrics need.

    Args:
        index: Index in the data set.
        sample: Data sample with ``pred_instances``, boxes in pixels of the original image.
        classes: Classes of the data set.
        names: Names in the sample's prompt; None if unknown.
    """
    meta = {k: v for k, v in sample.metainfo_items()}
    found, truth = sample.pred_instances, sample.get('gt_instances', None)
    ignored = sample.get('ignored_instances', None)
    if ignored is not None and len(ignored) and 'bboxes' in ignored:
        meta['ignored_instances'] = dict(bboxes=_boxes(ignored), labels=ignored.labels)
    known = truth is not None and 'bboxes' in truth and 'labels' in truth
    height, width = meta.get('ori_shape', meta.get('img_shape', (0, 0)))[:2]
    return Prediction(
        index, meta.get('img_id', index), str(meta.get('img_path', '')), (int(height), int(width)),
        _boxes(found).float().cpu().numpy(), found.scores.float().cpu().numpy(),
        found.labels.int().cpu().numpy(), names if names and names != classes else None, meta,
        _boxes(truth).float().cpu().numpy() if known else None,
        truth.labels.cpu().numpy() if known else None)


def to_sample(prediction: Prediction) -> dict[str, Any]:
    """Convert a prediction to a data sample in the form of MMEngine's metrics."""
    sample: dict[str, Any] = dict(prediction.meta or {})
    sample.update(img_id=prediction.img_id, img_path=prediction.img_path,
                  pred_instances=_tensors(bboxes=prediction.bboxes, scores=prediction.scores,
                                          labels=prediction.labels.astype('int64')))
    sample.setdefault('ori_shape', prediction.ori_shape)
    if prediction.gt_bboxes is not None and prediction.gt_labels is not None:
        sample['gt_instances'] = _tensors(bboxes=prediction.gt_bboxes,
                                          labels=prediction.gt_labels)
        sample['ignored_instances'] = _tensors(**(sample.get('ignored_instances') or dict(
            bboxes=prediction.gt_bboxes[:0], labels=prediction.gt_labels[:0])))
    return sample


def write_into(evaluator: Evaluator, folder: str) -> None:
    """Let metrics that write files, and name no ``folder`` for them, write into this one."""
    for metric in evaluator.metrics:
        if getattr(metric, 'folder', folder) is None:
            metric.folder = folder


def score(store: PredictionStore, evaluator: Evaluator, size: int) -> Mapping[str, float]:
    """Compute the metrics of a whole data set, in this process alone.

    Predictions are read part by part; only the state of the metrics stays in memory.

    Args:
        store: Stored predictions of all images.
        evaluator: Evaluator with ``dataset_meta`` set.
        size: Number of images in the data set.

    Returns:
        Name -> value of the metrics.

    Raises:
        ValueError: If predictions are missing or of another data set.
    """
    missing = sorted(set(range(size)) - store.done)
    if missing:
        raise ValueError(
            f"'{store.folder}' lacks {len(missing)} of {size} images, the first at position "
            f'{missing[0]} of the data set: run the same test again, and it goes on from here; '
            'on several machines work_dir must be a folder that all of them share')
    if len(store) > size:
        raise ValueError(f"'{store.folder}' has predictions of {len(store)} images, the data set "
                         f'has {size}: they belong to another test')
    with single_process():
        for samples in _batches(store):
            evaluator.process(data_samples=samples, data_batch=None)
        return evaluator.evaluate(size)


def _batches(store: PredictionStore) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for prediction in tqdm(store, 'scoring', unit='image', mininterval=1):
        batch.append(to_sample(prediction))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _boxes(instances: Any) -> torch.Tensor:
    boxes = instances.bboxes
    return getattr(boxes, 'tensor', boxes)


def _tensors(**arrays: Any) -> dict[str, torch.Tensor]:
    return {k: torch.from_numpy(v) for k, v in arrays.items()}
