"""Boxes, centerness and region-word logits; their losses and decoding."""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmcv.cnn import Scale
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from glip_mm.models.layers.dynamic_conv import flatten_levels
from glip_mm.models.layers.text_layer import clamp
from glip_mm.models.losses import centerness_target, mean_over_ranks
from glip_mm.ops.matrix_products import Float32Linear
from glip_mm.ops.number_format import without_autocast
from glip_mm.registry import MODELS, TASK_UTILS

from .detection_selection import LevelOutput, select_detections
from .inclusive_boxes import decode, encode, to_inclusive
from .prediction_settings import PredictionSettings


class Assignment(NamedTuple):
    """Positive anchors of a batch, image after image.

    Attributes:
        positives: ``[P, 2]`` (image, anchor).
        gt_index: ``[P]`` index of the ground-truth box within its image.
        boxes: ``[P, 4]`` that box, inclusive xyxy.
        labels: ``[P]`` its entity.
        anchors: ``[P, 4]`` inclusive xyxy.
    """

    positives: Tensor
    gt_index: Tensor
    boxes: Tensor
    labels: Tensor
    anchors: Tensor


@MODELS.register_module()
class ATSSGroundingHead(BaseModule):
    """One anchor a cell, classified by its agreement with each word (GLIP, section 3.1).

    Args:
        in_channels: Channels ``C`` of every level; the detector fills in those of its neck.
        language_dim: Width ``D`` of the text; the detector fills it in.
        num_levels: Pyramid levels; the detector fills in those of its neck. Default: as many as
            the anchor generator has strides.
        anchor_generator: One square anchor of 8 strides a cell in released models.
        assigner: ATSS with GLIP's IoU in released models.
        loss_region_word: Config of the region-word loss.
        loss_bbox: Config of the box loss; default: ``dict(type='GIoULoss', loss_weight=2.0)``, as
            published. Losses of MMDetection fit, too, such as ``dict(type='mmdet.DIoULoss')``:
            they are called with inclusive xyxy boxes, centerness as weights, and ``avg_factor``.
        loss_centerness: Config of the centerness loss; default: ``dict(type='CenternessLoss')``;
            ``dict(type='CrossEntropyLoss', use_sigmoid=True)`` fits, too.
        loss_box_weight: Deprecated: ``loss_weight`` of ``loss_bbox``.
        prior_prob: Probability of a match that the initial bias stands for.

    Losses are float32 whatever the precision of the forward pass.
    """

    def __init__(self, in_channels: int = 256, language_dim: int = 768,
                 num_levels: int | None = None,
                 anchor_generator: dict | None = None, assigner: dict | None = None,
                 loss_region_word: dict | None = None, loss_bbox: dict | None = None,
                 loss_centerness: dict | None = None, loss_box_weight: float | None = None,
                 prior_prob: float = 0.01,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.anchor_generator = TASK_UTILS.build(anchor_generator or dict(
            type='mmdet.AnchorGenerator', ratios=[1.0], octave_base_scale=8, scales_per_octave=1,
            strides=[8, 16, 32, 64, 128], center_offset=0.5))
        if num_levels is None:
            num_levels = len(self.anchor_generator.num_base_priors)
        if len(self.anchor_generator.num_base_priors) != num_levels:
            raise ValueError(
                f'bbox_head.anchor_generator.strides are for '
                f'{len(self.anchor_generator.num_base_priors)} levels, the neck gives {num_levels} '
                '(neck.num_outs, bbox_head.num_levels)')
        if self.anchor_generator.num_base_priors != [1] * num_levels:
            raise ValueError(
                f'bbox_head.anchor_generator makes {self.anchor_generator.num_base_priors} anchors '
                f'a cell; the region-word head needs exactly one on each of {num_levels} levels')
        self.assigner = TASK_UTILS.build(assigner or dict(
            type='mmdet.ATSSAssigner', topk=9,
            iou_calculator=dict(type='mmdet.BboxOverlaps2D_GLIP')))
        self.loss_region_word = MODELS.build(loss_region_word or dict(
            type='glip_mm.RegionWordLoss'))
        loss_bbox = loss_bbox or dict(type='glip_mm.GIoULoss', loss_weight=2.0)
        if loss_box_weight is not None:
            loss_bbox = dict(loss_bbox, loss_weight=loss_box_weight)
            options = ', '.join(f'{key}={value!r}' for key, value in loss_bbox.items())
            warnings.warn(
                f'bbox_head.loss_box_weight={loss_box_weight} goes in the next release: write '
                f'bbox_head.loss_bbox=dict({options})', FutureWarning, stacklevel=2)
        self.loss_bbox = MODELS.build(loss_bbox)
        self.loss_centerness = MODELS.build(loss_centerness or dict(
            type='glip_mm.CenternessLoss'))
        self.bbox_pred = nn.Conv2d(in_channels, 4, 1)
        self.centerness = nn.Conv2d(in_channels, 1, 1)
        for conv in (self.bbox_pred, self.centerness):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has one
        self.scales = nn.ModuleList(Scale(1.0) for _ in range(num_levels))
        self.text_projection = Float32Linear(language_dim, in_channels)
        self.log_scale = nn.Parameter(torch.zeros(1))
        self.bias_lang = nn.Parameter(torch.zeros(language_dim))
        self.bias0 = nn.Parameter(torch.tensor([-math.log((1 - prior_prob) / prior_prob)]))

    def forward(self, feats: Sequence[Tensor], text: Tensor) -> list[LevelOutput]:
        """Predict densely on every level.

        Args:
            feats: Maps ``[B, C, h, w]`` of the fusion neck.
            text: ``[B, L, D]``.

        Returns:
            One :class:`LevelOutput` a level.
        """
        return self.dense_outputs(feats, *self.project_text(text))

    def dense_outputs(self, feats: Sequence[Tensor], projected: Tensor,
                      bias: Tensor) -> list[LevelOutput]:
        """Predict with text that is projected already.

        Args:
            feats: Maps ``[B, C, h, w]``; of one image with several prompts, ``B`` may be 1.
            projected: ``[B, L, C]`` of :meth:`project_text`.
            bias: ``[B, 1, L]`` of :meth:`project_text`.

        Returns:
            One :class:`LevelOutput` a level.
        """
        sizes = [x.shape[-2:] for x in feats]
        anchors = self._anchors(sizes, feats[0].device)
        outputs = []
        for x, scale, level_anchors in zip(feats, self.scales, anchors):
            deltas = scale(self.bbox_pred(x)).flatten(2).transpose(1, 2)  # [B, A, 4]
            outputs.append(LevelOutput(
                self.match_words(flatten_levels([x]), projected, bias), deltas,
                self.centerness(x).flatten(1), to_inclusive(level_anchors)))
        return outputs

    def _anchors(self, sizes: Sequence[torch.Size], device: torch.device) -> list[Tensor]:
        # left on the CPU they would be copied for each level of each image, waiting for a GPU
        generator = self.anchor_generator
        if generator.base_anchors[0].device != device:
            generator.base_anchors = [anchors.to(device) for anchors in generator.base_anchors]
        return generator.grid_priors(sizes, device=device)

    def project_text(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Project words into the visual space, and compute their bias.

        The normalised text is halved before the projection but not in the bias: released
        checkpoints depend on it.

        Args:
            text: ``[B, L, D]``.

        Returns:
            ``[B, L, C]`` over the temperature, and ``[B, 1, L]``; float32.
        """
        with without_autocast(text.device.type):
            text = F.normalize(text.float(), dim=-1)
            projected = self.text_projection(text / 2) / self.log_scale.float().exp()
            bias = text @ self.bias_lang.float() + self.bias0.float()
        return projected, bias[:, None]

    def match_words(self, visual: Tensor, projected: Tensor, bias: Tensor) -> Tensor:
        """Compute float32 logits ``[B, A, L]`` of visual tokens ``[B, A, C]`` and words."""
        with without_autocast(visual.device.type):
            return clamp(visual.float() @ projected.transpose(1, 2) + bias)

    def assign(self, levels: Sequence[LevelOutput],
               gt_instances: Sequence[InstanceData]) -> Assignment:
        """Match anchors with ground-truth boxes (ATSS).

        Args:
            levels: Outputs of all levels.
            gt_instances: ``bboxes`` (MMDetection's xyxy in the network's frame) and ``labels``
                (entity indices) of each image; may be empty.

        Returns:
            The positive anchors.
        """
        anchors = torch.cat([level.anchors for level in levels])
        counts = [len(level.anchors) for level in levels]
        parts = []
        for image, gt in enumerate(gt_instances):
            boxes = gt.bboxes.tensor if hasattr(gt.bboxes, 'tensor') else gt.bboxes
            boxes = to_inclusive(boxes.float())
            if len(boxes):
                target = InstanceData(bboxes=boxes, labels=gt.labels)
                gt_inds = self.assigner.assign(
                    InstanceData(priors=anchors), counts, target).gt_inds
            else:
                gt_inds = anchors.new_zeros(len(anchors), dtype=torch.long)
            index = (gt_inds > 0).nonzero().squeeze(1)
            owner = gt_inds[index] - 1
            parts.append((torch.stack((torch.full_like(index, image), index), dim=1), owner,
                          boxes[owner], gt.labels[owner], anchors[index]))
        return Assignment(*(torch.cat(p) for p in zip(*parts)))

    def loss(self, levels: Sequence[LevelOutput], mask: Tensor, token_map: Tensor,
             assignment: Assignment) -> dict[str, Tensor]:
        """Compute the losses of the three outputs.

        Args:
            levels: Outputs of all levels.
            mask: ``[B, L]`` bool, real tokens.
            token_map: ``[B, E, L]`` bool, tokens of each entity. A box whose entity owns none
                is regressed and matches no word.
            assignment: Positive anchors.

        Returns:
            ``loss_region_word``, ``loss_bbox``, ``loss_centerness``.
        """
        image, anchor = assignment.positives.unbind(dim=1)
        logits = torch.cat([level.logits for level in levels], dim=1)
        deltas = torch.cat([level.deltas for level in levels], dim=1)[image, anchor].float()
        centerness = torch.cat([level.centerness for level in levels], dim=1)[image, anchor].float()

        quality = centerness_target(assignment.anchors, assignment.boxes)
        totals = torch.stack((quality.new_full((), len(quality)), quality.sum()))
        num_positives, total_quality = mean_over_ranks(totals)
        num_positives = num_positives.clamp(min=1)
        words = self.loss_region_word(logits, mask, assignment.positives,
                                      token_map[image, assignment.labels])
        return dict(
            loss_region_word=words / num_positives,
            loss_bbox=self.loss_bbox(
                decode(assignment.anchors, deltas), assignment.boxes, quality,
                # no positive anywhere: the sum is 0 and stays so
                avg_factor=total_quality.clamp(min=1e-6)),
            loss_centerness=self.loss_centerness(centerness, quality, avg_factor=num_positives))

    def regression_targets(self, assignment: Assignment) -> Tensor:
        """Encode the boxes ``[P, 4]`` of the positive anchors."""
        return encode(assignment.anchors, assignment.boxes)

    def predict(self, levels: Sequence[LevelOutput], token_map: Tensor,
                image_sizes: Sequence[tuple[int, int]],
                settings: PredictionSettings | None = None) -> list[InstanceData]:
        """Select detections in the network's frame; see :func:`select_detections`."""
        return select_detections(levels, token_map, image_sizes, settings)
