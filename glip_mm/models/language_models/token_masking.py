"""Masking words for masked-language modelling."""

from typing import Optional, Tuple

import torch
from torch import Tensor

from .text_features import TokenBatch


def mask_tokens(tokens: TokenBatch, greenlight: Optional[Tensor], mask_id: int, vocab_size: int,
                probability: float = 0.15,
                generator: Optional[torch.Generator] = None) -> Tuple[Tensor, Tensor]:
    """BERT's masking: of the chosen tokens 80 % [MASK], 10 % random, 10 % unchanged.

    Args:
        tokens: Captions.
        greenlight: ``[B, L]``: 1 may be masked and learned; 0 is masked but not learned, as
            published; -1 is left alone. ``None`` allows every token.
        mask_id: Id of [MASK].
        vocab_size: Random ids are drawn below it.
        probability: Share of chosen tokens.
        generator: For reproducible draws.

    Returns:
        Masked ids ``[B, L]`` and labels ``[B, L]``, -100 where nothing is to be learned.
    """
    ids, mask = tokens.input_ids, tokens.mask
    draw = torch.rand(ids.shape, generator=generator, device='cpu').to(ids.device)
    chosen = mask & (draw < probability)
    if greenlight is not None:
        chosen &= greenlight != -1
    share = draw / probability
    random_ids = torch.randint(vocab_size, ids.shape, generator=generator, device='cpu')
    masked = torch.where(chosen & (share < 0.8), mask_id, ids)
    masked = torch.where(chosen & (share >= 0.8) & (share < 0.9), random_ids.to(ids.device), masked)
    learned = chosen if greenlight is None else chosen & (greenlight == 1)
    return masked, torch.where(learned, ids, -100)
