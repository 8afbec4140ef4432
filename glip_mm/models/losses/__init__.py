"""Losses."""

from .box_losses import (
    CenternessLoss,
    GIoULoss,
    centerness_loss,
    centerness_target,
    giou_loss,
)
from .contrastive_losses import ContrastiveAlignLoss, InterImageContrastiveLoss, contrastive_align
from .masked_language_loss import MaskedLanguageHead
from .normalisers import mean_over_ranks
from .region_word_loss import RegionWordLoss, dense_targets

__all__ = [
    'CenternessLoss', 'ContrastiveAlignLoss', 'GIoULoss', 'InterImageContrastiveLoss',
    'MaskedLanguageHead', 'RegionWordLoss', 'centerness_loss', 'centerness_target',
    'contrastive_align', 'dense_targets', 'giou_loss', 'mean_over_ranks'
]
