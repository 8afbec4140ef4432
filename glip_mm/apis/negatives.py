"""Negatives: names that compete for boxes and are not returned."""

from collections.abc import Sequence

import numpy as np

from glip_mm.box_iou import outscored
from glip_mm.text import Prompt
from glip_mm.text.names import listed

from .result import GroundingResult


def with_negatives(prompt: Prompt, negatives: str | Sequence[str]) -> Prompt:
    """Append negatives to a prompt.

    Args:
        prompt: What is looked for.
        negatives: Names that are not; a string is one name.

    Raises:
        ValueError: If one of them is looked for.
    """
    names = listed(negatives)
    if not names:
        return prompt
    both = [name for name in names if name in prompt.names]
    if both:
        raise ValueError(f'negatives={both!r} are looked for, too: a name is wanted or a negative')
    return prompt.with_names(names)


def without_negatives(result: GroundingResult, prompt: Prompt) -> GroundingResult:
    """Remove the boxes of negatives, and those that a negative names better.

    A box of a wanted name goes where a box of a negative with at least its score overlaps it with
    an IoU of at least 0.5. Boxes of wanted names never remove each other.

    Args:
        result: Detections with a prompt of :func:`with_negatives`.
        prompt: The prompt without negatives.

    Returns:
        A result with that prompt.
    """
    wanted = result.labels < len(prompt.entities)
    lost = outscored(result.boxes, result.scores, result.boxes[~wanted], result.scores[~wanted])
    return result.take(np.flatnonzero(wanted & ~lost), prompt=prompt)
