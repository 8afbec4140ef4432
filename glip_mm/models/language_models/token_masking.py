"""Masking words for masked-language modelling."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .text_features import TokenBatch


def greenlight_row(offsets: np.ndarray, spans: Sequence[tuple[int, int]] | None) -> np.ndarray:
    """Mark the tokens of a caption that may be learned.

    A token of which a character lies in a span; the special tokens have no characters. A span
    that reaches beyond what the tokenizer kept gives the tokens that are there (the published
    rule gives none of them, so that a caption cut at its end was never learned).

    Args:
        offsets: ``[L, 2]`` characters of each token.
        spans: ``[begin, end)`` characters; ``None`` masks nothing of this caption.

    Returns:
        ``[L]`` int64: 1 for those tokens and 0 for others; all -1 for ``None``.
    """
    offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    if spans is None:
        return np.full(len(offsets), -1, dtype=np.int64)
    begin, end = np.asarray(spans, dtype=np.int64).reshape(-1, 2).T[:, :, None]  # [S, 1]
    first, last = offsets.T  # [L]
    return ((first < end) & (last > begin) & (first < last)).any(axis=0).astype(np.int64)


def mask_tokens(tokens: TokenBatch, greenlight: Tensor | None, mask_id: int, vocab_size: int,
                probability: float = 0.15, corrupt_unlearned: bool = False,
                generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Mask as BERT does: of the chosen tokens 80 % [MASK], 10 % random, 10 % unchanged.

    Args:
        tokens: Captions.
        greenlight: ``[B, L]``: 1 may be masked and learned; 0 is not learned; -1 is left alone.
            ``None`` allows every token.
        mask_id: Id of [MASK].
        vocab_size: Random ids are drawn below it.
        probability: Share of chosen tokens.
        corrupt_unlearned: Mask tokens of greenlight 0 although they are not learned, as published:
            this takes words away for nothing.
        generator: random generator, for reproducible draws.

    Returns:
        Masked ids ``[B, L]`` and labels ``[B, L]``, -100 where nothing is to be learned.
    """
    ids, mask = tokens.input_ids, tokens.mask
    draw = torch.rand(ids.shape, generator=generator, device='cpu').to(ids.device)
    chosen = mask & (draw < probability)
    if greenlight is not None:
        chosen &= (greenlight != -1) if corrupt_unlearned else (greenlight == 1)
    share = draw / probability
    random_ids = torch.randint(vocab_size, ids.shape, generator=generator, device='cpu')
    masked = torch.where(chosen & (share < 0.8), mask_id, ids)
    masked = torch.where(chosen & (share >= 0.8) & (share < 0.9), random_ids.to(ids.device), masked)
    learned = chosen if greenlight is None else chosen & (greenlight == 1)
    return masked, torch.where(learned, ids, -100)
