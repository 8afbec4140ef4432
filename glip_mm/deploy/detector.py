"""The detector of one vocabulary: an image in, boxes out, in standard operators."""

import torch
import torch.nn.functional as F
from mmdet.models.backbones import SwinTransformer
from torch import Tensor, nn

from glip_mm.models import GLIP
from glip_mm.models.dense_heads import PredictionSettings
from glip_mm.models.dense_heads.detection_selection import rank_level, used_columns
from glip_mm.models.dense_heads.inclusive_boxes import to_half_open
from glip_mm.models.language_models import TextFeatures
from glip_mm.text import Prompt

from .portable import portable_copy
from .vocabulary import FixedVocabulary, encode_vocabulary


class FixedVocabularyDetector(nn.Module):
    """GLIP that looks for the same names in all images.

    The text is encoded here, once: the language model is no part of this module. Without fusion
    (GLIP-T (A)) all that is left of the text is a matrix, else the fusion and its text layers
    start from constant token features. What cannot be exported is replaced (see
    :func:`portable_copy`); weights are shared with the model.

    Args:
        model: A trained detector.
        prompt: names or caption. More names than the language model takes make several prompts,
            exactly as in prediction; a fused model then runs its tower once for each.
        normalize: the input is raw pixels (0 to 255), normalised inside.
        rgb: the input is RGB instead of BGR; only with ``normalize``.

    Raises:
        ValueError: If the model's padding does not suit its backbone, ``rgb`` is asked for
            without ``normalize``, or ``nms_pre`` sets no limit.
    """

    mean: Tensor
    std: Tensor
    token_map: Tensor
    entity_labels: Tensor
    # of the text, with fusion
    columns: Tensor
    hidden: Tensor
    mask: Tensor
    # and without
    projected: Tensor
    bias: Tensor

    def __init__(self, model: GLIP, prompt: Prompt, normalize: bool = True,
                 rgb: bool = False) -> None:
        super().__init__()
        if rgb and not normalize:
            raise ValueError('rgb=True needs normalize=True: normalised pixels have the order that '
                             'the model was trained with')
        model.eval()
        self.vocabulary: FixedVocabulary = encode_vocabulary(model, prompt)
        self.settings: PredictionSettings = model.test_cfg
        if self.settings.nms_pre < 0:
            raise ValueError('model.test_cfg.nms_pre=-1 cannot be exported: an export gives the '
                             'same number of candidates for any image; set a number')
        self.divisor = _divisor(model)
        preprocessor = model.data_preprocessor
        self.pad_value = float(preprocessor.pad_value)
        self.normalize = normalize
        # a normalised input has the order of the channels that the network sees
        network = 'rgb' if preprocessor._channel_conversion else 'bgr'
        self.channels = ('rgb' if rgb else 'bgr') if normalize else network
        self.flip = self.channels != network
        enabled = preprocessor._enable_normalize
        self.register_buffer('mean', preprocessor.mean.clone() if enabled else torch.zeros(3, 1, 1))
        self.register_buffer('std', preprocessor.std.clone() if enabled else torch.ones(3, 1, 1))

        model = portable_copy(model)
        self.backbone, self.neck, self.tower = model.backbone, model.neck, model.fusion_neck
        self.head = model.bbox_head
        self.fuse = self.tower.fuse
        self._set_text(self.vocabulary)

    def _set_text(self, vocabulary: FixedVocabulary) -> None:
        text, token_map = vocabulary.text, vocabulary.token_map
        columns = used_columns(token_map, self.settings.score_agg)
        self.register_buffer('token_map', token_map[..., columns].float())
        self.register_buffer('entity_labels', vocabulary.labels)
        if self.fuse:
            self.register_buffer('columns', columns)
            self.register_buffer('hidden', text.hidden)
            self.register_buffer('mask', text.mask)
        else:
            with torch.no_grad():
                projected, bias = self.head.project_text(text.embedded[:, columns])
            self.register_buffer('projected', projected)
            self.register_buffer('bias', bias)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find candidates; NMS within a name is still to be done.

        Args:
            image: ``[1, 3, h, w]`` float32.

        Returns:
            ``M = levels * test_cfg.nms_pre`` candidates of each of ``K`` prompts, whatever the
            image size: boxes ``[K, M, 4]`` (half open xyxy, in pixels of the input), scores
            ``[K, M]``, 0 where there is no candidate, and labels ``[K, M]``.
        """
        height, width = image.shape[2], image.shape[3]
        feats = list(self.neck(self.backbone(self._prepare(image))))
        if self.fuse:
            chunks = self.hidden.shape[0]
            feats = [x.expand(chunks, -1, -1, -1) for x in feats] if chunks > 1 else feats
            feats, text = self.tower(feats, TextFeatures(self.hidden, self.hidden, self.mask))
            projected, bias = self.head.project_text(text.hidden[:, self.columns])
        else:
            # without fusion the tower never looks at the text
            feats, _ = self.tower(feats, None)
            projected, bias = self.projected, self.bias
        found = [rank_level(level, self.token_map, self.settings, fixed_count=True)
                 for level in self.head.dense_outputs(feats, projected, bias)]
        boxes, scores, index = (torch.cat(parts, dim=1) for parts in zip(*found))
        missing = scores < 0
        boxes = torch.maximum(boxes, torch.zeros_like(boxes))
        # Python numbers would freeze the size of the image
        limit = torch.ones_like(boxes) * boxes.new_tensor((1.0, 0.0, 1.0, 0.0)) * (width - 1)
        limit = limit + boxes.new_tensor((0.0, 1.0, 0.0, 1.0)) * (height - 1)
        boxes = to_half_open(torch.minimum(boxes, limit))
        labels = torch.gather(self.entity_labels, 1, index.masked_fill(missing, 0))
        return boxes, scores.masked_fill(missing, 0), labels

    def _prepare(self, image: Tensor) -> Tensor:
        if self.flip:
            image = image.flip(1)
        if self.normalize:
            image = (image - self.mean) / self.std
        height, width = image.shape[2], image.shape[3]
        down = (height + self.divisor - 1) // self.divisor * self.divisor - height
        right = (width + self.divisor - 1) // self.divisor * self.divisor - width
        return F.pad(image, (0, right, 0, down), value=self.pad_value)


def _divisor(model: GLIP) -> int:
    """Return the number whose multiples the model's input is padded to."""
    divisor, needed = int(model.data_preprocessor.pad_size_divisor), 1
    if isinstance(model.backbone, SwinTransformer):
        merges = sum(stage.downsample is not None for stage in model.backbone.stages)
        needed = model.backbone.patch_embed.projection.stride[0] * 2**merges
    if divisor % needed:
        raise ValueError(f'data_preprocessor.pad_size_divisor is {divisor}, but the backbone '
                         f'divides its input by {needed}: set it to a multiple of that')
    return divisor
