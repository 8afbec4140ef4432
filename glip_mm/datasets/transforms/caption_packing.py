"""Captions of other images as negatives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import BaseTransform

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.registry import TRANSFORMS

from .caption_source import CaptionSource, Random
from .clip_boxes import PER_BOX


class Packed(NamedTuple):
    """Several captions packed into one.

    Attributes:
        caption: Packed caption.
        span: Characters ``[begin, end)`` of the positive caption.
    """

    caption: str
    span: tuple[int, int]


def count_packed(most: int, full_prob: float, none_prob: float, rng: Random) -> int:
    """Draw the number of negative captions, as published.

    Args:
        most: Maximum ``K``.
        full_prob: Probability of ``K``, given that any are drawn; -1: always ``K``.
        none_prob: Probability of none.
        rng: Source of randomness.

    Returns:
        ``K``, 0, or uniformly 0 to ``K`` - 1.
    """
    if full_prob == -1:
        return most
    if rng.rand() < none_prob:
        return 0
    if rng.rand() < full_prob:
        return most
    return int(rng.randint(0, most)) if most > 0 else 0


def select_fitting(lengths: Sequence[int], budget: int, rng: Random) -> list[int]:
    """Select negatives that fit, in random order.

    As published, one that is too long is skipped and shorter ones may still follow.

    Args:
        lengths: Number of tokens of each, [CLS] and [SEP] included.
        budget: Number of tokens left; one must remain.
        rng: Source of randomness.
    """
    kept = []
    for i in rng.permutation(len(lengths)).tolist():
        if lengths[i] < budget:
            budget -= lengths[i]
            kept.append(i)
    return kept


def pack_captions(positive: str, negatives: Sequence[str], rng: Random) -> Packed:
    """Join captions in random order, each with a full stop and a blank.

    A caption without negatives is unchanged. Unlike the published code, which searches the
    caption in the result, this records its position.

    Example:
        >>> pack_captions('a cat', ['A dog.'], np.random.RandomState(1)).caption
        'a cat. A dog. '
    """
    if not negatives:
        return Packed(positive, (0, len(positive)))
    texts = [positive, *negatives]
    packed, span = '', (0, 0)
    for i in rng.permutation(len(texts)).tolist():
        if i == 0:
            span = (len(packed), len(packed) + len(positive))
        packed += texts[i] + ('' if texts[i].endswith('.') else '.') + ' '
    return Packed(packed, span)


@TRANSFORMS.register_module()
class PackCaptions(BaseTransform):
    """Pack an image's caption with captions of other images, whose phrases serve as negatives.

    Place it before ``BuildPrompt``. Detection images pass unchanged.

    Required keys: ``text``, ``phrases``, and ``other_caption`` unless ``captions`` are given.

    Modified keys: ``text``, and the spans of ``phrases``. Added: ``positive_span``, the characters
    of the image's own caption.

    Args:
        num_negatives: Maximum number ``K`` of negative captions; GLIP-L has 20.
        full_prob: Probability of ``K``, see :func:`count_packed`.
        none_prob: Probability of none, see :func:`count_packed`.
        max_tokens: Maximum number of tokens of a prompt with [CLS] and [SEP], as in
            ``language_model.max_tokens``.
        tokenizer: Name of the language model whose tokens are counted.
        safeguard: Whether to draw only as many as fit beside the image's own caption.
        captions: Source of captions, see :class:`CaptionSource`.
    """

    def __init__(self, num_negatives: int = 20, full_prob: float = 0.5, none_prob: float = 0.4,
                 max_tokens: int = 256, tokenizer: str = 'bert-base-uncased',
                 safeguard: bool = True,
                 captions: None | str | Sequence[str] = None) -> None:
        self.num_negatives = num_negatives
        self.full_prob, self.none_prob = full_prob, none_prob
        self.max_tokens, self.tokenizer_name = max_tokens, tokenizer
        self.safeguard = safeguard
        self.source = CaptionSource(captions)
        self._tokenizer: Any = None

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, with [CLS] and [SEP]."""
        if self._tokenizer is None:
            from glip_mm.compat import load_tokenizer
            from glip_mm.text.language_model_files import resolve_language_model
            self._tokenizer = load_tokenizer(resolve_language_model(self.tokenizer_name))
        return [len(ids) for ids in self._tokenizer(list(texts), verbose=False)['input_ids']]

    def transform(self, results: dict) -> dict | None:
        """Pack the caption of a sample.

        Args:
            results: Sample, see the class for its keys.

        Returns:
            The same dict, modified.
        """
        if 'phrases' not in results:
            return results
        caption, rng = results['text'], np.random
        if not isinstance(caption, str):
            raise BadSample('caption is no text', str(results.get('where', '')),
                            f'got {caption!r}; correct or remove the row')
        count = count_packed(self.num_negatives, self.full_prob, self.none_prob, rng)
        negatives = self.source.draw(results, count, rng) if count > 0 else []
        if negatives and self.safeguard:
            own, *lengths = self.count_tokens([caption, *negatives])
            fitting = select_fitting(lengths, self.max_tokens - own, rng)
            negatives = [negatives[i] for i in fitting]
        packed = pack_captions(caption, negatives, rng)
        begin = packed.span[0]
        results['phrases'] = {i: dict(p, tokens_positive=_shift(p['tokens_positive'], begin))
                              for i, p in results['phrases'].items()}
        results['text'], results['positive_span'] = packed
        return results


@TRANSFORMS.register_module()
class ReplaceCaption(BaseTransform):
    """Replace an image's caption by that of another, with some probability; no box remains.

    The published option for this (``SAMPLE_NEGATIVE_FOR_GROUNDING_DATA``) never worked: it
    emptied the annotations but kept the boxes. Here caption, phrases and boxes go together.

    Place it before or after the loading of boxes, and before ``PackCaptions`` and ``BuildPrompt``.
    Detection images pass unchanged.

    Required keys: ``text``, ``phrases``, and ``other_caption`` unless ``captions`` are given.

    Modified keys: ``text``, ``phrases``, ``instances`` and the ground truth. Added if the caption
    was replaced: ``caption_replaced``.

    Args:
        prob: Probability of a replacement.
        captions: Source of captions, see :class:`CaptionSource`.
    """

    def __init__(self, prob: float, captions: None | str | Sequence[str] = None) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'ReplaceCaption.prob must be in [0, 1], got {prob!r}')
        self.prob, self.source = prob, CaptionSource(captions)

    def transform(self, results: dict) -> dict | None:
        """Replace the caption of a sample.

        Args:
            results: Sample, see the class for its keys.

        Returns:
            The same dict, modified.
        """
        if 'phrases' not in results or np.random.rand() >= self.prob:
            return results
        results['text'], = self.source.draw(results, 1, np.random)
        results.update(phrases={}, instances=[], caption_replaced=True)
        for key in PER_BOX:
            if key in results:
                results[key] = results[key][:0]
        return results


def _shift(spans: Any, by: int) -> Any:
    """Shift spans to the right, at any nesting depth."""
    if isinstance(spans, (list, tuple)):
        return [_shift(inner, by) for inner in spans]
    return spans + by
