"""Text features: the data between tokenizer, language model, fusion and head."""

from typing import NamedTuple

import numpy as np
from torch import Tensor


class TokenBatch(NamedTuple):
    """Tokenized captions, padded to the longest one of the batch.

    Attributes:
        input_ids: ``[B, L]`` int64.
        mask: ``[B, L]`` bool, true at real tokens ([CLS] and [SEP] included).
        offsets: One int array ``[l, 2]`` a caption: the characters of each token, (0, 0) for
            special tokens.
    """

    input_ids: Tensor
    mask: Tensor
    offsets: list[np.ndarray]


class TextFeatures(NamedTuple):
    """Encoded captions.

    Attributes:
        hidden: ``[B, L, D]``, the last layer as it is; fused models start from it.
        embedded: ``[B, L, D]``, zero at padding; models without fusion classify with it.
        mask: ``[B, L]`` bool, true at real tokens.
    """

    hidden: Tensor
    embedded: Tensor
    mask: Tensor

    def with_hidden(self, hidden: Tensor) -> 'TextFeatures':
        """Return the same text with another ``hidden``; this object is left unchanged."""
        return self._replace(hidden=hidden)
