"""Text encoders and what they return."""

from .bert import BertLanguageModel
from .prompt_table import PromptTable
from .text_features import AGGREGATES, TextFeatures, TokenBatch
from .token_masking import greenlight_row, mask_tokens

__all__ = [
    'AGGREGATES', 'BertLanguageModel', 'PromptTable', 'TextFeatures', 'TokenBatch',
    'greenlight_row', 'mask_tokens'
]
