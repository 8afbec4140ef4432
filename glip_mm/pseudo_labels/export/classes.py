"""Mapping of captions' phrases to the categories of a data set."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from glip_mm.datasets.data_error import read_text
from glip_mm.pseudo_labels.questions import without_determiner
from glip_mm.text.names import listed


def category_name(phrase: str) -> str:
    """Normalise a phrase: lower case, single blanks, no determiner, so 'a Dog' becomes 'dog'.

    Example:
        >>> category_name('The  red Cat')
        'red cat'
    """
    words = ' '.join(phrase.lower().split())
    return without_determiner(words, (0, len(words)))[0]


class ClassList:
    """Selected categories, and the phrases that each of them matches.

    Args:
        lines: Categories as ``name`` or ``name: other phrase, pattern``; in patterns ``*`` matches
            any text. Every name matches itself, too. The first matching category is used.

    Raises:
        ValueError: If there is none, or one is not unique.

    Example:
        >>> ClassList(['dog: puppy, * dog', 'cat']).find('a big Dog')
        'dog'
    """

    def __init__(self, lines: str | Iterable[str]) -> None:
        self.patterns: dict[str, list[str]] = {}
        for line in listed(lines):
            name, _, others = line.partition(':')
            name = category_name(name)
            if not name:
                continue
            if name in self.patterns:
                raise ValueError(f'--classes: {name!r} comes twice: keep one')
            self.patterns[name] = [category_name(other) for other in others.split(',')
                                   if other.strip()]
        if not self.patterns:
            raise ValueError('--classes names no class: give names, or a file with one a line')
        # phrases of captions repeat frequently
        self.find = lru_cache(maxsize=1 << 16)(self._find)

    @classmethod
    def from_arguments(cls, arguments: str | Iterable[str]) -> 'ClassList':
        """Build a class list from the command line: one file, or names.

        Raises:
            FileNotFoundError: If a name looks like that of a file and there is none.
            ValueError: If the list is invalid, see the class.
        """
        arguments = listed(arguments)
        if len(arguments) == 1 and Path(arguments[0]).is_file():
            return cls(read_text(arguments[0]).splitlines())
        if len(arguments) == 1 and arguments[0].endswith(('.txt', '.names')):
            raise FileNotFoundError(f"--classes: the file '{arguments[0]}' is missing")
        return cls(arguments)

    @property
    def names(self) -> list[str]:
        """Return the categories in order."""
        return list(self.patterns)

    def _find(self, phrase: str) -> str | None:
        """Return the category of a phrase, None if it has none."""
        name = category_name(phrase)
        if name in self.patterns:
            return name
        return next((own for own, patterns in self.patterns.items()
                     if any(fnmatchcase(name, pattern) for pattern in patterns)), None)
