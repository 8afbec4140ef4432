"""Text encoders and what they return."""

from .bert import BertLanguageModel, mask_tokens
from .prompt_table import PromptTable
from .text_features import TextFeatures, TokenBatch

__all__ = ['BertLanguageModel', 'PromptTable', 'TextFeatures', 'TokenBatch', 'mask_tokens']
