"""Sampling of the class names in a detection prompt, as published.

Classes are rows of a :class:`ClassVocabulary`, variants of their names are forms.
"""

from collections.abc import Sequence

import numpy as np

from .class_vocabulary import ClassVocabulary, Random

#: (one negative only, none, as many as possible, drop positives)
Control = tuple[float, float, float, float]
#: Control probabilities of the released models: as many as possible half the time.
PUBLISHED_CONTROL: Control = (0.0, 0.0, 0.5, 0.0)


def check_control(control: Sequence[float]) -> Control:
    """Check control probabilities and return them as a tuple.

    Raises:
        ValueError: If there are not four with a sum of at most 1, or the last is not 0.
    """
    values = tuple(float(p) for p in control)
    if len(values) != 4 or min(values) < 0 or sum(values) > 1 + 1e-9 or values[3] != 0:
        raise ValueError(
            'BuildPrompt.control must be four probabilities (one negative, no negative, as many '
            f'as possible, 0) with a sum of at most 1, got {control!r}')
    return values


def count_negatives(most: int, control: Control, rng: Random) -> int:
    """Draw the number of negatives.

    Args:
        most: Maximum number; -1 for none, as published.
        control: Control probabilities, see :data:`Control`. The remaining probability means
            uniformly 1 to ``most``.
        rng: Source of randomness.

    Returns:
        The number; -1 for none at all.
    """
    one, none, full, _ = control
    u = rng.rand()
    if u < one:
        return 1
    if u < one + none:
        return 0
    if u < one + none + full:
        return most
    return int(rng.randint(1, max(1, most) + 1))


def keep_positives(rows: np.ndarray, vocabulary: ClassVocabulary, max_tokens: int,
                   rng: Random) -> tuple[np.ndarray, int]:
    """Choose the positive classes that fit in a prompt, and their forms.

    The published rule: in random order until one no longer fits; that one and all after it are
    left out, even if a shorter one would fit.

    Args:
        rows: Distinct classes of the image.
        vocabulary: Names and token counts.
        max_tokens: Maximum number of tokens, without [CLS] and [SEP].
        rng: Source of randomness.

    Returns:
        The forms kept, in random order, and the tokens used, those of the first that does not fit
        included (so that more than ``max_tokens`` means that something was left out).
    """
    forms = vocabulary.write(rng.permutation(np.asarray(rows, dtype=np.int64)), rng)
    used = vocabulary.costs[forms].cumsum()
    kept = int(np.searchsorted(used, max_tokens, side='right'))
    return forms[:kept], int(used[min(kept, len(used) - 1)]) if len(used) else 0


def draw_negatives(positives: np.ndarray, vocabulary: ClassVocabulary, budget: int, rng: Random,
                   num_negatives: int = 85, control: Control = PUBLISHED_CONTROL,
                   max_classes: int = -1, candidates: np.ndarray | None = None) -> np.ndarray:
    """Draw the negative classes of a prompt.

    Published: positives among the drawn classes are dropped, so fewer may remain; the rest is taken
    in random order as long as there is room. Unlike in the published code, no background class is
    drawn, and no class whose name equals a positive one's.

    Args:
        positives: Rows of the image's classes.
        vocabulary: Names and token counts.
        budget: Number of tokens left for negatives.
        rng: Source of randomness.
        num_negatives: Maximum number of negatives; 0 for none. The published code has -1 for none
            half the time and one the other half.
        control: Control probabilities, see :data:`Control`.
        max_classes: Maximum number of classes, positive ones included; -1 for any number.
        candidates: Rows to draw from, such as the classes verified as absent; default:
            all.

    Returns:
        Forms in random order.
    """
    nothing = np.zeros(0, dtype=np.int64)
    if candidates is None:
        candidates = np.arange(len(vocabulary.labels))
    candidates = candidates[vocabulary.can_be_negative[candidates]]
    if num_negatives == 0 or not len(candidates):
        return nothing
    most = num_negatives
    if max_classes > 0:
        most = max(min(max_classes - len(positives), num_negatives), 0)
    count = count_negatives(min(most, len(candidates)), control, rng)
    if count <= 0:
        return nothing
    rows = rng.choice(candidates, size=min(count, len(candidates)), replace=False)
    forms = vocabulary.write(rows, rng)
    absent = ~np.isin(rows, positives)
    if len(positives):
        absent &= ~np.isin(vocabulary.reading[forms], vocabulary.all_readings(positives))
    forms = forms[absent]
    return forms[vocabulary.costs[forms].cumsum() < budget]
