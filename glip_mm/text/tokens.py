"""Conversion of character spans to tokens.

Shapes: ``L`` tokens of the tokenised caption (special tokens included), ``E`` entities.
"""
import unicodedata
from collections.abc import Sequence

import numpy as np

from .prompt import Prompt

#: Categories of characters that BERT's tokenizers remove: controls, formats, combining marks.
_REMOVED = frozenset({'Cc', 'Cf', 'Cn', 'Cs', 'Mn'})


def char_to_token(offsets: np.ndarray, num_chars: int, last: bool = False) -> np.ndarray:
    """Map every character to its token.

    Args:
        offsets: ``[L, 2]`` character range of each token, as a fast tokenizer returns it;
            special and padding tokens are ``(0, 0)``.
        num_chars: Length of the caption.
        last: Whether the last of several tokens of a character is used, rather than the first. A
            tokenizer that decomposes characters makes three tokens of one Korean syllable.

    Returns:
        ``[num_chars]`` int64 token indices, -1 for characters without a token: blanks, truncated
        text, and what the tokenizer removes.
    """
    table = np.full(num_chars, -1, dtype=np.int64)
    offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    for token in range(len(offsets)) if last else range(len(offsets) - 1, -1, -1):
        begin, end = offsets[token]
        table[begin:end] = token
    return table


def span_to_tokens(table: np.ndarray, begin: int, end: int,
                   ends: np.ndarray | None = None) -> range | None:
    """Map the characters ``[begin, end)`` to tokens by the published rules.

    The first token is that of ``begin``, else of one of the two characters after it; the last
    one that of ``end - 1``, else of one of the two characters before it. So up to two blanks at
    either end of a name are tolerated, inner tokens always belong to the span, and separators
    never do.

    Args:
        table: Token of every character, from :func:`char_to_token`.
        begin: First character.
        end: One past the last character.
        ends: Last token of every character; default: ``table``, as published.

    Returns:
        The token range, or ``None`` if the span owns no token.
    """
    first = _first_token(table, (begin, begin + 1, begin + 2))
    last = _first_token(table if ends is None else ends, (end - 1, end - 2, end - 3))
    if first is None or last is None or first > last:
        return None
    return range(first, last + 1)


def _first_token(table: np.ndarray, positions: Sequence[int]) -> int | None:
    for position in positions:
        if position < 0:
            # the reference tokenizer overflows here, and the published code then returns nothing
            return None
        if position < len(table) and table[position] >= 0:
            return int(table[position])
    return None


def entity_tokens(prompt: Prompt, offsets: np.ndarray) -> list[list[range]]:
    """Compute the token ranges of each entity.

    These are the published rules (:func:`span_to_tokens`), completed where tokenizers change
    characters, which never happens in the published data: a character that becomes several
    tokens gives the span all of them (the published code loses the last ones), and any number of
    characters that are removed (zero-width joiners, combining marks, ...) may surround a name
    (two in the published code).

    Args:
        prompt: Prompt of ``E`` entities.
        offsets: ``[L, 2]`` offsets of its tokenised caption.

    Returns:
        ``E`` lists of ranges; empty for an entity that owns no token.
    """
    caption = prompt.caption
    table = char_to_token(offsets, len(caption))
    ends = table if caption.isascii() else char_to_token(offsets, len(caption), last=True)

    def removed(position: int) -> bool:
        character = caption[position]
        return table[position] < 0 and not character.isspace() and (
            character == '\ufffd' or unicodedata.category(character) in _REMOVED)

    result = []
    for entity in prompt.entities:
        found = []
        for begin, end in entity.spans:
            stop = min(end, len(caption))
            while begin < stop and removed(begin):
                begin += 1
            while begin < stop and removed(stop - 1):
                end = stop = stop - 1
            tokens = span_to_tokens(table, begin, end, ends) if begin < end else None
            if tokens is not None:
                found.append(tokens)
        result.append(found)
    return result


def positive_map(prompt: Prompt, offsets: np.ndarray, width: int | None = None) -> np.ndarray:
    """Compute which tokens each entity owns.

    Args:
        prompt: Prompt of ``E`` entities.
        offsets: ``[L, 2]`` offsets of its tokenised caption.
        width: Columns of the result, at least ``L`` (the padded length of a batch); default
            ``L``.

    Returns:
        ``[E, width]`` bool. The row of an entity that owns no token is all ``False``.

    Raises:
        ValueError: If ``width`` is smaller than the number of tokens.
    """
    offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    width = len(offsets) if width is None else width
    if width < len(offsets):
        raise ValueError(f'width={width} would cut the {len(offsets)} tokens of the prompt '
                         f'{prompt.caption!r}')
    result = np.zeros((len(prompt.entities), width), dtype=bool)
    for row, ranges in zip(result, entity_tokens(prompt, offsets)):
        for tokens in ranges:
            row[tokens.start:tokens.stop] = True
    return result


def entities_without_tokens(prompt: Prompt, offsets: np.ndarray) -> list[int]:
    """Return the labels of entities without tokens: blank, truncated or removed words."""
    return [label for label, ranges in enumerate(entity_tokens(prompt, offsets)) if not ranges]
