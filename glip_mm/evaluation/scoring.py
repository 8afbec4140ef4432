"""Metrics of predictions on disk."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement
from tqdm import tqdm

from glip_mm.compat import single_process

from .predictions import Prediction, PredictionStore

#: Images given to the metrics at a time.
BATCH = 64


def to_prediction(index: int, sample: BaseDataElement, classes: tuple[str, ...],
                  names: tuple[str, ...] | None) -> Prediction:
    """What metrics need of a data sample that a model has filled in.

    Args:
        index: Position in the data set.
        sample: With ``pred_instances``, boxes in pixels of the original image.
        classes: Of the data set.
        names: Of the sample's prompt; None if they are not known.
    """
    meta = {k: v for k, v in sample.metainfo_items()}
    found, truth = sample.pred_instances, sample.get('gt_instances', None)
    ignored = sample.get('ignored_instances', None)
    if ignored is not None and len(ignored) and 'bboxes' in ignored:
        meta['ignored_instances'] = dict(bboxes=_boxes(ignored), labels=ignored.labels)
    known = truth is not None and 'bboxes' in truth and 'labels' in truth
    return Prediction(
        index, meta.get('img_id', index), str(meta.get('img_path', '')),
        tuple(int(x) for x in meta.get('ori_shape', meta.get('img_shape', (0, 0)))[:2]),
        _boxes(found).float().cpu().numpy(), found.scores.float().cpu().numpy(),
        found.labels.int().cpu().numpy(), names if names and names != classes else None, meta,
        _boxes(truth).float().cpu().numpy() if known else None,
        truth.labels.cpu().numpy() if known else None)


def to_sample(prediction: Prediction) -> dict[str, Any]:
    """The data sample of a prediction as metrics of MMEngine take it."""
    sample: dict[str, Any] = dict(prediction.meta or {})
    sample.update(img_id=prediction.img_id, img_path=prediction.img_path,
                  pred_instances=_tensors(bboxes=prediction.bboxes, scores=prediction.scores,
                                          labels=prediction.labels.astype('int64')))
    sample.setdefault('ori_shape', prediction.ori_shape)
    if prediction.gt_bboxes is not None:
        sample['gt_instances'] = _tensors(bboxes=prediction.gt_bboxes,
                                          labels=prediction.gt_labels)
        sample['ignored_instances'] = _tensors(**(sample.get('ignored_instances') or dict(
            bboxes=prediction.gt_bboxes[:0], labels=prediction.gt_labels[:0])))
    return sample


def score(store: PredictionStore, evaluator: Evaluator, size: int) -> Mapping[str, float]:
    """Metrics of a whole data set, computed in this process alone.

    Predictions are read part by part; what stays in memory is what each metric keeps.

    Args:
        store: With all images.
        evaluator: With ``dataset_meta`` set.
        size: Images of the data set.

    Returns:
        Name -> value.

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
