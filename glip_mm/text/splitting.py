"""Splitting of a long vocabulary into prompts that fit the language model."""
from collections.abc import Callable, Sequence

from .caption_prompt import CaptionPrompt
from .prompt import Prompt

#: Function from texts to their numbers of tokens, special tokens not included.
TokenCounter = Callable[[list[str]], Sequence[int]]


def split_names(names: Sequence[str],
                count_tokens: TokenCounter,
                max_tokens: int = 254,
                max_classes: int | None = None,
                separator: str = '. ',
                caption_prompt: CaptionPrompt | None = None,
                clean: bool = True) -> list[list[int]]:
    """Split a list of class names into prompts that fit.

    Args:
        names: Class names.
        count_tokens: Function that counts tokens, see :func:`split_prompt`.
        max_tokens: Maximum number of tokens per prompt, without special tokens.
        max_classes: Number of classes per prompt; default: as many as fit.
        separator: Text between names, see :meth:`Prompt.from_names`.
        caption_prompt: Overrides of names; their prefixes and suffixes count, too.
        clean: Whether names are cleaned, see :meth:`Prompt.from_names`.

    Returns:
        Index lists into ``names``, in order.

    Raises:
        ValueError: If a class alone, or a group of ``max_classes``, needs more tokens.

    Example:
        >>> split_names(['cat', 'dog', 'cow'], lambda texts: [2 * len(t.split()) for t in texts],
        ...             max_tokens=4)
        [[0, 1], [2]]
    """
    prompt = Prompt.from_names(names, separator, caption_prompt, clean)
    return split_prompt(prompt, count_tokens, max_tokens, max_classes)


def split_prompt(prompt: Prompt,
                 count_tokens: TokenCounter,
                 max_tokens: int = 254,
                 max_classes: int | None = None) -> list[list[int]]:
    """Split a prompt into groups of entities that fit the language model.

    Entities are taken in order, as many as fit; none is dropped and no text is truncated. A prompt
    that is a caption stays whole.

    Args:
        prompt: Prompt to split.
        count_tokens: Function from texts to their numbers of tokens, without special tokens.
        max_tokens: Maximum number of tokens per prompt without the two special ones (256 - 2).
        max_classes: Number of classes per prompt, as in published protocols (LVIS: 40); default: as
            many as fit.

    Returns:
        Lists of labels; ``prompt.select(labels)`` is the prompt of a group.

    Raises:
        ValueError: If a class alone, a group of ``max_classes``, or a caption needs more tokens.
    """
    if max_classes is not None and max_classes < 1:
        raise ValueError(f'max_classes must be at least 1, got {max_classes}; leave it None to '
                         'split by tokens alone')
    if prompt.pieces is None:
        return _whole(prompt, count_tokens, max_tokens)
    if max_classes is None:
        return _by_tokens(prompt, count_tokens, max_tokens)
    return _by_classes(prompt, count_tokens, max_tokens, max_classes)


def _by_tokens(prompt: Prompt, count_tokens: TokenCounter, max_tokens: int) -> list[list[int]]:
    total = len(prompt.entities)
    costs = count_tokens(
        [prompt.caption[start:stop] + prompt.separator for start, stop in prompt.pieces or ()])
    groups: list[list[int]] = []
    start = 0
    while start < total:
        stop, used = start, 0
        # the last name has no separator behind it: try one name more than surely fits
        while stop < total and used <= max_tokens:
            used += costs[stop]
            stop += 1
        # counted again as a whole, because not every tokenizer's counts are additive
        count = _count(prompt, range(start, stop), count_tokens)
        while count > max_tokens:
            stop -= 1
            if stop == start:
                raise ValueError(
                    f'class {start} {prompt.names[start][:60]!r} needs {count} tokens by itself, '
                    f'but a prompt has room for {max_tokens}; shorten the name or raise max_tokens '
                    'of the language model')
            count = _count(prompt, range(start, stop), count_tokens)
        groups.append(list(range(start, stop)))
        start = stop
    return groups


def _by_classes(prompt: Prompt, count_tokens: TokenCounter, max_tokens: int,
                max_classes: int) -> list[list[int]]:
    total = len(prompt.entities)
    groups = [
        list(range(start, min(start + max_classes, total)))
        for start in range(0, total, max_classes)
    ]
    counts = count_tokens([prompt.select(group).caption for group in groups])
    for group, count in zip(groups, counts, strict=True):
        if count > max_tokens:
            first, last = group[0], group[-1]
            raise ValueError(
                f'classes {first} {prompt.names[first]!r} to {last} {prompt.names[last]!r} need '
                f'{count} tokens in one prompt, but there is room for {max_tokens}; lower '
                f'max_classes={max_classes} (chunked_size in test_cfg) or raise max_tokens of '
                'the language model')
    return groups


def _whole(prompt: Prompt, count_tokens: TokenCounter, max_tokens: int) -> list[list[int]]:
    count = count_tokens([prompt.caption])[0]
    if count > max_tokens:
        raise ValueError(
            f'the caption {prompt.caption!r} needs {count} tokens, but there is room for '
            f'{max_tokens}, and a caption is never cut; shorten it or raise max_tokens of the '
            'language model')
    return [list(range(len(prompt.entities)))]


def _count(prompt: Prompt, labels: range, count_tokens: TokenCounter) -> int:
    return count_tokens([prompt.select(labels).caption])[0]
