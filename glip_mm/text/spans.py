"""Character spans in the forms that users and annotation files write."""
import re
from numbers import Integral
from typing import Any

from .names import is_blank

Span = tuple[int, int]

#: Characters removed from found phrases and from the ends of words (GLIP ``remove_punctuation``).
PUNCTUATION = '|:;@()[]{}^\'"’`?$%#!&*+,.'

_WORD = re.compile(r'\S+')


def is_pair(value: Any) -> bool:
    """Return whether ``value`` is one flat ``[begin, end]``."""
    return (isinstance(value, (list, tuple)) and len(value) == 2
            and all(isinstance(v, Integral) and not isinstance(v, bool) for v in value))


def flatten_spans(value: Any, where: str) -> list[Span]:
    """Flatten the spans of a phrase to a list of pairs.

    Accepts ``[b, e]``, ``[[b, e], ...]`` and deeper nestings (ODVG files nest once more).

    Args:
        value: Spans of a phrase.
        where: Name of the phrase for error messages.

    Raises:
        ValueError: If something other than pairs of integers is found.
    """
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if is_pair(value):
        return [(int(value[0]), int(value[1]))]
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f'{where} needs at least one span [begin, end] of two integers, '
                         f'got {value!r}')
    return [span for child in value for span in flatten_spans(child, where)]


def check_spans(spans: list[Span], caption: str, where: str) -> None:
    """Raise ``ValueError`` unless every span is non-empty and inside the caption."""
    for begin, end in spans:
        if not 0 <= begin < end <= len(caption):
            raise ValueError(
                f'span [{begin}, {end}] of {where} is not inside the caption of {len(caption)} '
                f'characters {caption!r}; a span is [begin, end) with 0 <= begin < end')


def strip_span(caption: str, begin: int, end: int, characters: str = PUNCTUATION) -> Span:
    """Shrink ``[begin, end)`` until it neither starts nor ends with blanks or ``characters``."""
    while begin < end and (caption[begin].isspace() or caption[begin] in characters):
        begin += 1
    while begin < end and (caption[end - 1].isspace() or caption[end - 1] in characters):
        end -= 1
    return begin, end


def word_spans(caption: str) -> list[Span]:
    """Return the spans of a caption's blank-separated words, without surrounding punctuation."""
    spans = (strip_span(caption, *match.span()) for match in _WORD.finditer(caption))
    return [(begin, end) for begin, end in spans if begin < end]


def check_caption(caption: str) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless the caption is a non-blank string."""
    if not isinstance(caption, str):
        raise TypeError(f'a caption must be a string, got {caption!r}')
    if is_blank(caption):
        raise ValueError(f'the caption {caption!r} is empty; give a text that names something')
