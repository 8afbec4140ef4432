"""Which class names stand in the prompt of a detection image, as published."""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from glip_mm.text import clean_name

CountTokens = Callable[[str], int]
Random = Any  # np.random, or a np.random.RandomState


def keep_positives(labels: Sequence[int], names: Dict[int, str], count_tokens: CountTokens,
                   max_tokens: int, rng: Random) -> Tuple[List[int], int]:
    """Choose the positive classes that fit in a prompt.

    The published screen: in random order until one no longer fits; that one and all after it are
    left out, even where a shorter one would fit.

    Args:
        labels: Distinct classes of the image.
        names: Class names by label.
        count_tokens: Number of tokens of a text.
        max_tokens: Tokens of a prompt, [CLS] and [SEP] not counted.
        rng: Source of randomness.

    Returns:
        The classes kept, in random order, and the tokens they use.
    """
    kept: List[int] = []
    used = 0
    for label in rng.permutation(np.asarray(labels, dtype=int)).tolist():
        cost = count_tokens(clean_name(names[label]) + '. ')
        if used + cost > max_tokens:
            break
        used += cost
        kept.append(label)
    return kept, used


def draw_negatives(positives: Sequence[int], names: Dict[int, str], count_tokens: CountTokens,
                   budget: int, rng: Random, num_negatives: int = 85,
                   full_prob: float = 0.5) -> List[int]:
    """Draw the classes of a prompt that the image does not show.

    Published: with probability ``full_prob`` draw ``num_negatives`` classes, else uniformly 1 to
    ``num_negatives``; positives among the drawn ones are lost, so fewer may remain; then take
    them in random order while they leave room. Unlike the published code, no background class is
    ever drawn, and no class is drawn that reads like a positive one.

    Args:
        positives: Classes that the prompt holds already.
        names: All class names by label.
        count_tokens: Number of tokens of a text.
        budget: Tokens left for negatives.
        rng: Source of randomness.
        num_negatives: Most negatives.
        full_prob: See above.

    Returns:
        Negative labels in random order.
    """
    most = min(num_negatives, len(names))
    if most <= 0:
        return []
    count = most if rng.rand() < full_prob else int(rng.randint(1, most + 1))
    drawn = rng.choice(list(names), size=count, replace=False).tolist()
    shown = {clean_name(names[label]).strip().lower() for label in positives}
    kept: List[int] = []
    for label in drawn:
        name = clean_name(names[label])
        if name.strip().lower() in shown:
            continue
        budget -= count_tokens(name + '. ')
        if budget <= 0:
            break
        kept.append(label)
    return kept
