"""Comparison of all tensors of a forward pass, with the published tolerances."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from .capture import Captured
from .golden import GoldenCase
from .table import Row

FEATURES, LOGITS = 1e-4, 5e-4
_TOKEN_AXES = (('lang.', 1), ('head.dot_product_logits.', 2), ('head.mlm_logits', 1))


def compare_tokens(case: GoldenCase, model: nn.Module, captions: Sequence[str]) -> Row:
    """Compare token ids, exactly.

    Args:
        case: Case to compare with.
        model: A GLIP.
        captions: ``B`` captions.
    """
    tokens = model.language_model.tokenize(captions)
    mask = case.text_mask
    stored = case.arrays.get('original_input_ids', case.arrays['input_ids'])
    ids = np.where(tokens.mask.cpu().numpy(), tokens.input_ids.cpu().numpy(), 0)
    longest = ids.shape[1]
    same = (np.array_equal(ids, np.where(mask, stored, 0)[:, :longest])
            and not mask[:, longest:].any())
    return Row('token ids', 0.0 if same else np.inf, 0.0)


def compare_stages(case: GoldenCase, got: Captured) -> list[Row]:
    """Compare all stored stages of the forward pass.

    Args:
        case: Case to compare with.
        got: Tensors recorded by :func:`recording`.
    """
    rows = []
    for name in case.meta['tensors']:
        if name.startswith('grad.'):
            continue
        axis = next((a for prefix, a in _TOKEN_AXES if name.startswith(prefix)),
                    1 if name.endswith('.lang') else None)
        tolerance = LOGITS if 'logits' in name else FEATURES
        rows.append(case.compare(name, got.get(name), tolerance, token_axis=axis))
    return rows
