"""Text features: the data between tokenizer, language model, fusion and head."""

from collections.abc import Callable
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


def _first(text: TextFeatures) -> Tensor:
    return text.embedded[:, 0]


def _mean(text: TextFeatures) -> Tensor:
    # embedded is zero at padding
    return text.embedded.sum(dim=1) / text.mask.sum(dim=1, keepdim=True)


#: Published ways (GLIPKNOW.LAN_FEATURE_AGG_TYPE), ``[B, L, D] -> [B, D]``: the token [CLS], or the
#: mean of all real tokens.
AGGREGATES: dict[str, Callable[[TextFeatures], Tensor]] = dict(first=_first, mean=_mean)
