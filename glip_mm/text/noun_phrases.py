"""Noun phrases of captions with their exact positions."""
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from .parsers import load_parser
from .spans import Span, strip_span

#: Function from the words of a caption to one Penn Treebank tag each.
Tagger = Callable[[list[str]], Sequence[str]]
#: Phrases with their character spans.
Phrases = list[tuple[str, Span]]
#: Names of grammars: ``'published'``, or ``'chunks'`` for the parser's noun chunks.
GRAMMARS = ('published', 'chunks')

# addresses, file names and HTML entities are one word each, and never part of a phrase
_NO_WORD = r'(?:https?://|www\.)\S+|\w[\w-]*\.(?:jpe?g|png|gif|webp|html?)\b|&(?:#\w+|[a-z]+\d*);'
_CLITIC = r"['’](?:s|re|ve|ll|d|m)\b"
_WORD = re.compile(
    rf"{_NO_WORD}|\d+(?:[.,]\d+)+|{_CLITIC}|\w+(?:(?:[-/]|(?!{_CLITIC})['’])\w+)*|\S",
    re.IGNORECASE)
_is_no_word = re.compile(_NO_WORD, re.IGNORECASE).fullmatch
# the published grammar NP: {<DT>?<JJ.*>*<NN.*>+}, one letter for each tag
_NOUN_PHRASE = re.compile('d?j*n+')


class NounPhraseFinder:
    """Finds noun phrases of captions, one by one or in batches.

    The span of a phrase comes from its own words and is never searched for, so a phrase that
    occurs twice is found twice and no phrase is found inside another word. Thread-safe.

    Args:
        parser: Name of the parser: ``'spacy'``, ``'textblob'`` or ``'auto'`` (the first that is
            installed). Nothing is downloaded: their models are packages.
        grammar: Name of the grammar. ``'published'`` was used for GLIP's labels: an optional
            determiner, any adjectives, and nouns. ``'chunks'`` are the parser's own noun chunks,
            which include numbers, participles and possessives ("two striped cats", "the dog's
            ball").

    Raises:
        ImportError: If the parser is not installed.
        ValueError: If an argument is unknown, or the parser has no chunks.

    Example:
        >>> finder = NounPhraseFinder('spacy')
        >>> finder('There is a Cat on the pink sofa.')
        [('a Cat', (9, 14)), ('the pink sofa', (18, 31))]
    """

    def __init__(self, parser: str = 'auto', grammar: str = 'published') -> None:
        if grammar not in GRAMMARS:
            raise ValueError(f"grammar '{grammar}' is none of {', '.join(GRAMMARS)}")
        self._parser, self.grammar = load_parser(parser), grammar
        if grammar == 'chunks':
            list(self._parser.chunks([], 1))  # raises if the parser has no chunks

    @property
    def version(self) -> str:
        """Return the version of parser, model and grammar, on which phrases depend."""
        return f'{self._parser.version}, grammar {self.grammar}'

    def __call__(self, caption: str) -> Phrases:
        """Find the phrases of a caption, see :meth:`pipe`."""
        return next(self.pipe([caption]))

    def pipe(self, captions: Iterable[str], batch_size: int = 256) -> Iterator[Phrases]:
        """Find the phrases of captions.

        Args:
            captions: English texts; their case is kept in the result.
            batch_size: Number of captions that are parsed together.

        Yields:
            ``(phrase, (begin, end))`` in order, with ``caption[begin:end] == phrase``.
        """
        captions = iter(captions)
        while batch := list(itertools.islice(captions, batch_size)):
            words = [_split(caption) for caption in batch]
            texts = [[text for text, _ in found] for found in words]
            if self.grammar == 'chunks':
                ranges = list(self._parser.chunks(texts, batch_size))
            else:
                ranges = [_noun_phrases(text, tags) for text, tags in zip(
                    texts, self._parser.tag(texts, batch_size))]
            for caption, found, parts in zip(batch, words, ranges):
                yield _phrases(caption, [span for _, span in found], parts)


def find_noun_phrases(caption: str, tagger: Tagger | None = None) -> Phrases:
    """Find the noun phrases of a caption by the published grammar.

    Args:
        caption: English text.
        tagger: Function from words to Penn Treebank tags; default: the installed parser, see
            :class:`NounPhraseFinder`.

    Returns:
        Phrases and spans, see :meth:`NounPhraseFinder.pipe`.

    Raises:
        ImportError: If no tagger is given and no parser is installed.
        ValueError: If the tagger returns another number of tags than it got words.
    """
    words = _split(caption)
    if not words:
        return []
    if tagger is None:
        return NounPhraseFinder()(caption)
    texts = [text for text, _ in words]
    tags = list(tagger(texts))
    if len(tags) != len(words):
        raise ValueError(f'the tagger returned {len(tags)} tags for {len(words)} words of '
                         f'{caption!r}; it must return one Penn Treebank tag for each word of '
                         f'{texts!r}')
    return _phrases(caption, [span for _, span in words], _noun_phrases(texts, tags))


def _split(caption: str) -> list[tuple[str, Span]]:
    return [(match.group(), match.span()) for match in _WORD.finditer(caption)]


def _noun_phrases(words: Sequence[str], tags: Sequence[str]) -> list[tuple[int, int]]:
    """Find the [first, end) words of noun phrases by the published grammar."""
    letters = ''.join(_letter(word, tag) for word, tag in zip(words, tags))
    return [match.span() for match in _NOUN_PHRASE.finditer(letters)]


def _phrases(caption: str, spans: Sequence[Span], ranges: Iterable[tuple[int, int]]) -> Phrases:
    phrases = []
    for first, end in ranges:
        begin, stop = strip_span(caption, spans[first][0], spans[end - 1][1])
        if begin < stop:
            phrases.append((caption[begin:stop], (begin, stop)))
    return phrases


def _letter(word: str, tag: str) -> str:
    # taggers tag some of these as nouns
    if _is_no_word(word) or not any(character.isalnum() for character in word):
        return 'x'
    if tag == 'DT':
        return 'd'
    return 'j' if tag.startswith('JJ') else 'n' if tag.startswith('NN') else 'x'
