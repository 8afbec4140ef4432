"""Test-time augmentation by the published recipe."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample, SampleList
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from glip_mm.models.dense_heads.inclusive_boxes import (
    class_aware_nms,
    to_inclusive,
    to_original_frame,
)
from glip_mm.models.dense_heads.prediction_settings import ChunkMerge
from glip_mm.registry import MODELS


@MODELS.register_module()
class GLIPTTAModel(BaseTTAModel):
    """Several sizes and flips of an image, each trusted for objects of a range of sizes.

    Every view gives its candidates before NMS. Those whose area in the view's own pixels
    lies outside the squares of its size range are dropped, the others go back to the original
    image, and one NMS within each class merges them (the recipe behind GLIP-L's COCO
    result with several scales, arXiv 2112.03857). Long vocabularies are cut into chunks in every
    view as without augmentation; a class is in one chunk only, so merging need not know them.

    The views come from MMCV's ``TestTimeAug`` with :class:`ShortSideResize` and ``RandomFlip``;
    ``PackDetInputs`` must pass on ``scale``, ``scale_factor``, ``img_shape`` and ``flip``.

    Args:
        module: The detector, or its config.
        tta_cfg: ``ranges``: short side of a view -> (least, most) root of an object's area in its
            pixels; views that are not listed are trusted for all. ``iou_threshold`` (0.6) and
            ``max_per_img`` (1000) of the merging.
        data_preprocessor: preprocessor of images, as in MMEngine.
    """

    def __init__(self, module: dict | nn.Module, tta_cfg: dict | None = None,
                 data_preprocessor: dict | None = None) -> None:
        super().__init__(module, data_preprocessor)
        settings: dict[str, Any] = dict(ranges={}, iou_threshold=0.6, max_per_img=1000)
        unknown = set(tta_cfg or {}) - set(settings)
        if unknown:
            raise ValueError(f'tta_model.tta_cfg knows {sorted(settings)}, got {sorted(unknown)}')
        settings.update(tta_cfg or {})
        self.ranges: dict[int, tuple[float, float]] = {
            int(side): tuple(limits) for side, limits in settings['ranges'].items()}
        self.iou_threshold = settings['iou_threshold']
        self.max_per_img = settings['max_per_img']

    def test_step(self, data: dict) -> SampleList:
        """Detect in all views of a batch.

        Args:
            data: ``inputs`` and ``data_samples`` of ``TestTimeAug``: a list of views, each a list
                of images.

        Returns:
            One sample an image, with ``pred_instances`` as of ``GLIP.predict``.
        """
        views = [self._candidates(dict(inputs=images, data_samples=samples))
                 for images, samples in zip(data['inputs'], data['data_samples'])]
        return self.merge_preds(list(zip(*views)))

    def _candidates(self, view: dict) -> SampleList:
        everything = self.module.test_cfg.replace(
            iou_threshold=None, max_per_img=-1, chunk_merge=ChunkMerge(), last_pixel=True)
        samples = self.module.test_step(view, everything, rescale=False)
        for sample in samples:
            found = sample.pred_instances
            found = found[self._in_range(found.bboxes, sample)]
            boxes = found.bboxes
            if sample.get('flip'):
                boxes = flip_back(boxes, sample)
            found.bboxes = to_original_frame(to_inclusive(boxes), sample.scale_factor)
            sample.pred_instances = found
        return samples

    def _in_range(self, boxes: Tensor, sample: DetDataSample) -> Tensor:
        limits = self.ranges.get(min(sample.scale)) if 'scale' in sample else None
        if self.ranges and 'scale' not in sample:
            raise KeyError("tta_model.tta_cfg.ranges needs 'scale' in meta_keys of PackDetInputs")
        if limits is None:
            return torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        return (area > limits[0]**2) & (area < limits[1]**2)

    def merge_preds(self, data_samples_list: Sequence[Sequence[DetDataSample]]) -> SampleList:
        """Merge the views of each image.

        Args:
            data_samples_list: views of each image, in the original frame.

        Returns:
            The first view's samples with the merged detections.
        """
        merged: list[DetDataSample] = []
        for views in data_samples_list:
            names = [name for view in views for name in view.pred_instances.label_names]
            parts = [InstanceData(bboxes=v.bboxes, scores=v.scores, labels=v.labels)
                     for v in (view.pred_instances for view in views)]
            found = InstanceData.cat(parts)
            kept = class_aware_nms(to_inclusive(found.bboxes), found.scores, found.labels,
                                   self.iou_threshold)[:self.max_per_img]
            result = found[kept]
            result.label_names = [names[i] for i in kept.tolist()]
            if not self.module.test_cfg.last_pixel:
                result.bboxes = to_inclusive(result.bboxes)
            views[0].pred_instances = result
            merged.append(views[0])
        return merged


def flip_back(boxes: Tensor, sample: DetDataSample) -> Tensor:
    """Flip MMDetection's xyxy ``[n, 4]`` of a flipped image back.

    Raises:
        ValueError: For another direction than horizontal or vertical.
    """
    height, width = sample.img_shape[:2]
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    direction = sample.get('flip_direction', 'horizontal')
    if direction == 'horizontal':
        return torch.stack((width - x2, y1, width - x1, y2), dim=1)
    if direction == 'vertical':
        return torch.stack((x1, height - y2, x2, height - y1), dim=1)
    raise ValueError(f"RandomFlip.direction '{direction}' cannot be undone: use 'horizontal' or "
                     "'vertical'")
