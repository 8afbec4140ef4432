"""From character spans to tokens, and from long vocabularies to prompts that fit.

Shapes: ``L`` tokens of the tokenised caption (special tokens included), ``E`` entities.
"""
from typing import Callable, List, Optional, Sequence

import numpy as np

from .prompt import CaptionPrompt, Prompt


def char_to_token(offsets: np.ndarray, num_chars: int) -> np.ndarray:
    """Token of every character.

    Args:
        offsets: ``[L, 2]`` character range of each token, as a fast tokenizer returns it;
            special and padding tokens are ``(0, 0)``.
        num_chars: Length of the caption.

    Returns:
        ``[num_chars]`` int64 token indices, -1 for characters of no token (blanks, and what
        truncation dropped). Where tokens share a character, the first wins.
    """
    table = np.full(num_chars, -1, dtype=np.int64)
    offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    for token in range(len(offsets) - 1, -1, -1):
        begin, end = offsets[token]
        table[begin:end] = token
    return table


def span_to_tokens(table: np.ndarray, begin: int, end: int) -> Optional[range]:
    """Tokens of the characters ``[begin, end)`` by the published rules.

    The first token is that of ``begin``, else of one of the two characters after it; the last
    one that of ``end - 1``, else of one of the two characters before it. So up to two blanks at
    either end of a name are forgiven, inner tokens always belong to the span, and separators
    never do.

    Args:
        table: Result of :func:`char_to_token`.
        begin: First character.
        end: One past the last character.

    Returns:
        The token range, or ``None`` if the span owns no token.
    """
    first = _first_token(table, (begin, begin + 1, begin + 2))
    last = _first_token(table, (end - 1, end - 2, end - 3))
    if first is None or last is None or first > last:
        return None
    return range(first, last + 1)


def _first_token(table: np.ndarray, positions: Sequence[int]) -> Optional[int]:
    for position in positions:
        if position < 0:
            # the reference tokenizer overflows here, and the published code then gives up
            return None
        if position < len(table) and table[position] >= 0:
            return int(table[position])
    return None


def positive_map(prompt: Prompt, offsets: np.ndarray, width: Optional[int] = None) -> np.ndarray:
    """Which tokens each entity owns.

    Args:
        prompt: The prompt.
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
    table = char_to_token(offsets, len(prompt.caption))
    result = np.zeros((len(prompt.entities), width), dtype=bool)
    for row, entity in zip(result, prompt.entities):
        for begin, end in entity.spans:
            tokens = span_to_tokens(table, begin, end)
            if tokens is not None:
                row[tokens.start:tokens.stop] = True
    return result


def entities_without_tokens(prompt: Prompt, offsets: np.ndarray) -> List[int]:
    """Labels whose entity owns no token (a blank name, or words that truncation dropped)."""
    return np.flatnonzero(~positive_map(prompt, offsets).any(axis=1)).tolist()


def split_names(names: Sequence[str],
                count_tokens: Callable[[List[str]], Sequence[int]],
                max_tokens: int = 254,
                max_classes: Optional[int] = None,
                separator: str = '. ',
                caption_prompt: Optional[CaptionPrompt] = None,
                clean: bool = True) -> List[List[int]]:
    """Cut a list of class names into prompts; see :func:`split_prompt`.

    Returns:
        Index lists into ``names``, in order.
    """
    prompt = Prompt.from_names(names, separator, caption_prompt, clean)
    return split_prompt(prompt, count_tokens, max_tokens, max_classes)


def split_prompt(prompt: Prompt,
                 count_tokens: Callable[[List[str]], Sequence[int]],
                 max_tokens: int = 254,
                 max_classes: Optional[int] = None) -> List[List[int]]:
    """Cut a prompt made of names into prompts that fit the language model.

    Entities are taken in order, as many as fit; none is dropped and no text is cut.

    Args:
        prompt: A prompt from names.
        count_tokens: Number of tokens of each of several texts, without special tokens.
        max_tokens: Tokens of one prompt without the two special ones (256 - 2).
        max_classes: Cut after this many classes instead, as published protocols do (40).

    Returns:
        Lists of labels; ``prompt.select(labels)`` is the prompt of one.

    Raises:
        ValueError: If a class alone, or a group of ``max_classes``, needs more tokens.
    """
    total = len(prompt)
    if max_classes is not None:
        return _split_by_classes(prompt, count_tokens, max_tokens, max_classes)
    if count_tokens([prompt.caption])[0] <= max_tokens:
        return [list(range(total))]
    alone = [prompt.select([index]).caption for index in range(total)]
    costs = count_tokens([text + prompt.separator for text in alone])
    groups: List[List[int]] = []
    start = 0
    while start < total:
        stop, used = start, 0
        # the last name of a prompt is followed by no separator: try one more than surely fits
        while stop < total and used <= max_tokens:
            used += costs[stop]
            stop += 1
        # counted once more as a whole: not every tokenizer's counts add up
        while _count(prompt, range(start, stop), count_tokens) > max_tokens:
            stop -= 1
            if stop == start:
                raise ValueError(_too_long(prompt, start, count_tokens, max_tokens))
        groups.append(list(range(start, stop)))
        start = stop
    return groups


def _split_by_classes(prompt: Prompt, count_tokens: Callable[[List[str]], Sequence[int]],
                      max_tokens: int, max_classes: int) -> List[List[int]]:
    if max_classes < 1:
        raise ValueError(f'max_classes must be at least 1, got {max_classes}; leave it None to '
                         'split by tokens alone')
    groups = [
        list(range(start, min(start + max_classes, len(prompt))))
        for start in range(0, len(prompt), max_classes)
    ]
    counts = count_tokens([prompt.select(group).caption for group in groups])
    for group, count in zip(groups, counts):
        if count > max_tokens:
            raise ValueError(
                f'classes {group[0]} ({prompt.names[group[0]]!r}) to {group[-1]} '
                f'({prompt.names[group[-1]]!r}) need {count} tokens in one prompt, but '
                f'max_tokens={max_tokens}; lower max_classes={max_classes} (chunked_size in '
                'test_cfg) or raise max_tokens of the language model')
    return groups


def _count(prompt: Prompt, labels: range, count_tokens: Callable[[List[str]],
                                                                 Sequence[int]]) -> int:
    return count_tokens([prompt.select(labels).caption])[0]


def _too_long(prompt: Prompt, label: int, count_tokens: Callable[[List[str]], Sequence[int]],
              max_tokens: int) -> str:
    count = _count(prompt, range(label, label + 1), count_tokens)
    return (f'class {label} {prompt.names[label]!r} needs {count} tokens by itself, but '
            f'max_tokens={max_tokens}; shorten the name or raise max_tokens of the language model')
