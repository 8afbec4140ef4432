"""What is typed into the page, as prompts."""

import re
from collections.abc import Sequence

from glip_mm.apis import make_prompt
from glip_mm.text import Prompt
from glip_mm.text.names import split_custom_entities

#: Kinds of texts.
NAMES, CAPTION = KINDS = ('names', 'caption')
_MARKED = re.compile(r'\[([^\[\]]*)\]')


def read_prompt(kind: str, text: str, longest: int) -> Prompt:
    """Make the prompt of a text.

    Args:
        kind: ``'names'``: separated by ``'. '``, commas or lines. ``'caption'``: phrases stand in
            square brackets; without any, its noun phrases are found.
        text: The text.
        longest: Maximum number of characters.

    Raises:
        ImportError: If no parser finds noun phrases here.
        ValueError: If the text is too long, or nothing is named.

    Example:
        >>> read_prompt('caption', 'a [red cup] on [the table]', 100).names
        ['red cup', 'the table']
    """
    if kind == NAMES:
        return make_prompt(split_names(text, longest))
    _check_length(text, longest)
    caption, spans = unmark(text)
    return make_prompt(caption, spans or None)


def split_names(text: str, longest: int) -> list[str]:
    """Split names at full stops, commas and lines; each is kept once.

    Raises:
        ValueError: If the text is too long, or holds no name.
    """
    _check_length(text, longest)
    return list(dict.fromkeys(split_custom_entities(text.replace(',', '\n'))))


def unmark(text: str) -> tuple[str, list[list[list[int]]]]:
    """Remove the square brackets around phrases.

    Returns:
        The caption, and the spans of each phrase.
    """
    caption, spans, end = '', [], 0
    for found in _MARKED.finditer(text):
        caption += text[end:found.start()]
        spans.append([[len(caption), len(caption) + len(found[1])]])
        caption += found[1]
        end = found.end()
    return caption + text[end:], spans


def mark(caption: str, spans: Sequence[tuple[int, int]]) -> str:
    """Put square brackets around phrases, the reverse of :func:`unmark`."""
    for begin, end in sorted(spans, reverse=True):
        caption = f'{caption[:begin]}[{caption[begin:end]}]{caption[end:]}'
    return caption


def _check_length(text: str, longest: int) -> None:
    if len(text) > longest:
        raise ValueError(f'the text has {len(text):,} characters, more than the {longest:,} that '
                         'are read')
