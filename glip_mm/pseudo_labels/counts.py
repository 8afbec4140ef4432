"""Number of objects that a phrase refers to."""


_WORDS = ('one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten')
_COUNTS = {'a': 1, 'an': 1, 'another': 1, 'this': 1, 'that': 1, 'both': 2,
           **{word: number for number, word in enumerate(_WORDS, 1)},
           **{str(number): number for number in range(1, 11)}}


def said_count(caption: str, span: tuple[int, int]) -> int | None:
    """Parse the number at the beginning of a phrase, or right before it.

    Args:
        caption: The whole caption.
        span: Span [begin, end) of the phrase.

    Returns:
        The number; None if the caption has none.

    Example:
        >>> said_count('a man and two dogs on grass', (10, 18))
        2
        >>> said_count('a man and two dogs on grass', (14, 18))
        2
    """
    begin, end = span
    for words in (caption[begin:end].split()[:1], caption[:begin].split()[-1:]):
        if words and words[0].lower() in _COUNTS:
            return _COUNTS[words[0].lower()]
    return None
