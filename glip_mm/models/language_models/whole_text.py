"""From the tokens of a text to one vector."""

from collections.abc import Callable

from torch import Tensor

from .text_features import TextFeatures


def _first(text: TextFeatures) -> Tensor:
    return text.embedded[:, 0]


def _mean(text: TextFeatures) -> Tensor:
    # embedded is zero at padding
    return text.embedded.sum(dim=1) / text.mask.sum(dim=1, keepdim=True)


#: Published ways (GLIPKNOW.LAN_FEATURE_AGG_TYPE), ``[B, L, D] -> [B, D]``: the token [CLS], or the
#: mean of all real tokens.
AGGREGATES: dict[str, Callable[[TextFeatures], Tensor]] = dict(first=_first, mean=_mean)
