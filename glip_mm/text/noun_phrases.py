"""Noun phrases of a caption, each with the exact place where it stands."""
import re
from collections.abc import Callable, Sequence

from .spans import PUNCTUATION, Span, strip_span

#: Maps the words of a caption to one Penn Treebank tag each.
Tagger = Callable[[list[str]], Sequence[str]]

_CLITIC = r"['’](?:s|re|ve|ll|d|m)\b"
_WORD = re.compile(rf"\d+(?:[.,]\d+)+|{_CLITIC}|\w+(?:(?:[-/]|(?!{_CLITIC})['’])\w+)*|\S",
                   re.IGNORECASE)
# the published grammar NP: {<DT>?<JJ.*>*<NN.*>+}, one letter for each tag
_NOUN_PHRASE = re.compile('d?j*n+')


def find_noun_phrases(caption: str, tagger: Tagger | None = None) -> list[tuple[str, Span]]:
    """Find noun phrases with the grammar GLIP was published with.

    A phrase is an optional determiner, any adjectives, and nouns. Where a phrase stands comes
    from its own words and is never searched for, so a phrase that occurs twice is found twice
    and no phrase is found inside another word.

    Args:
        caption: English text; the case is kept in the result.
        tagger: Maps words to Penn Treebank tags. Default: the tagger of the optional package
            ``textblob``, whose lexicon is part of the package (nothing is downloaded).

    Returns:
        ``(phrase, (begin, end))`` in order, with ``caption[begin:end] == phrase``.

    Raises:
        ImportError: If no tagger is given and ``textblob`` is not installed.
        ValueError: If the tagger returns another number of tags than it got words.

    Example:
        >>> find_noun_phrases('There is a Cat on the pink sofa.')
        [('a Cat', (9, 14)), ('the pink sofa', (18, 31))]
    """
    spans = [match.span() for match in _WORD.finditer(caption)]
    if not spans:
        return []
    words = [caption[begin:end] for begin, end in spans]
    tags = list((tagger or tag_words)(words))
    if len(tags) != len(words):
        raise ValueError(f'the tagger returned {len(tags)} tags for {len(words)} words of '
                         f'{caption!r}; it must return one Penn Treebank tag for each word of '
                         f'{words!r}')
    letters = ''.join(_letter(word, tag) for word, tag in zip(words, tags))
    phrases = []
    for match in _NOUN_PHRASE.finditer(letters):
        begin, end = strip_span(caption, spans[match.start()][0], spans[match.end() - 1][1])
        phrases.append((caption[begin:end], (begin, end)))
    return phrases


def tag_words(words: list[str]) -> list[str]:
    """Penn Treebank tags by the pattern tagger that ``textblob`` carries.

    Args:
        words: The words of one caption; lower-cased for tagging, as published.

    Raises:
        ImportError: If ``textblob`` is not installed.
    """
    try:
        from textblob.en import tag
    except ImportError as error:
        raise ImportError(
            'finding the noun phrases of a caption needs the optional package textblob: run '
            "'pip install textblob', or mark the phrases with spans (tokens_positive), or give a "
            'list of class names') from error
    return [result[1] for result in tag(' '.join(words).lower(), tokenize=False)]


def _letter(word: str, tag: str) -> str:
    if all(character in PUNCTUATION for character in word):
        return 'x'
    if tag == 'DT':
        return 'd'
    return 'j' if tag.startswith('JJ') else 'n' if tag.startswith('NN') else 'x'
