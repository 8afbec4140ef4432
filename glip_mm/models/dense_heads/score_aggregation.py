"""From token probabilities to entity scores."""

from collections.abc import Callable

import torch
from torch import Tensor


def _mean(probs: Tensor, token_map: Tensor) -> Tensor:
    weights = token_map / token_map.sum(dim=-1, keepdim=True).clamp(min=1)
    return probs @ weights.transpose(-1, -2)


def _max(probs: Tensor, token_map: Tensor) -> Tensor:
    # one entity at a time: [B, A, E, L] would be far larger than the result
    owned = token_map.bool().unsqueeze(-3)  # [B, 1, E, L]
    columns = [probs.masked_fill(~owned[..., e, :], 0).amax(dim=-1)
               for e in range(token_map.shape[-2])]
    return torch.stack(columns, dim=-1)


def _power(probs: Tensor, token_map: Tensor) -> Tensor:
    count = token_map.sum(dim=-1)
    logs = probs.clamp(min=torch.finfo(probs.dtype).tiny).log() @ token_map.transpose(-1, -2)
    scores = (logs / count.clamp(min=1).unsqueeze(-2)).exp()
    return scores * (count > 0).unsqueeze(-2)


def _onehot(probs: Tensor, token_map: Tensor) -> Tensor:
    return probs[..., :token_map.shape[-2]]


#: Published aggregations: arithmetic mean (all released results), maximum, geometric mean, and
#: the first ``E`` token columns as they are.
AGGREGATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(
    MEAN=_mean, MAX=_max, POWER=_power, ONEHOT=_onehot)


def aggregate_scores(probs: Tensor, token_map: Tensor, mode: str = 'MEAN') -> Tensor:
    """Aggregate the probabilities of tokens to a score of each entity.

    Args:
        probs: ``[B, A, L]`` sigmoid of the region-word logits.
        token_map: ``[B, E, L]`` 0/1 in the type of ``probs``. An entity without tokens scores 0.
        mode: One of ``AGGREGATIONS``.

    Returns:
        ``[B, A, E]``.

    Raises:
        ValueError: For an unknown mode.
    """
    if mode not in AGGREGATIONS:
        raise ValueError(f"test_cfg.score_agg is '{mode}': choose one of {sorted(AGGREGATIONS)}")
    return AGGREGATIONS[mode](probs, token_map)
