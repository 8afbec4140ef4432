"""Class names: the published cleaning, and lists of names as users write them."""
import re
import unicodedata
from collections.abc import Iterable, Sequence
from os import PathLike

from .text_file import read_text

_PARENTHESES = re.compile(r'\(.*\)')
_CUSTOM_SEPARATOR = re.compile(r'\.(?:\s+|$)|[\r\n]+')
#: A name that holds one of these looks like several.
SEPARATORS = ('. ', ',', ';', '\n', '|')
#: Categories of Unicode that show nothing by themselves: control, format, combining.
_UNSEEN = frozenset({'Cc', 'Cf', 'Mn', 'Me'})
#: Letters and symbols that are drawn as blanks: Hangul fillers, Braille without dots.
_FILLERS = frozenset('\u115f\u1160\u2800\u3164\uffa0')


def is_blank(text: str) -> bool:
    """Return whether nothing of a text is to be seen, as of a zero-width space.

    Example:
        >>> [is_blank(text) for text in ('', ' \\t', '\\u200b', 'a\\u200b')]
        [True, True, True, False]
    """
    return all(c.isspace() or c in _FILLERS or unicodedata.category(c) in _UNSEEN for c in text)


def clean_name(name: str) -> str:
    """Make a class name readable for the language model, exactly as the released models saw it.

    Everything from the first ``(`` to the last ``)`` is removed, underscores become blanks, then
    a single pass halves double blanks. No stripping and no lower-casing: the checkpoints' prompts
    were written this way (GLIP ``clean_name``), and the LVIS and ODinW numbers depend on it.

    Args:
        name: Raw class name.

    Returns:
        The cleaned name. Two different classes may collide, and a name may become blank.

    Example:
        >>> clean_name('bow_(weapon)')
        'bow '
    """
    return _PARENTHESES.sub('', name).replace('_', ' ').replace('  ', ' ')


def split_custom_entities(text: str) -> list[str]:
    """Split a string such as ``'cat. remote control. '`` (``custom_entities=True``) into names.

    Lines are names of their own.

    Raises:
        ValueError: If no name is left.
    """
    names = [name.strip() for name in _CUSTOM_SEPARATOR.split(text)]
    names = [name for name in names if not is_blank(name)]
    if not names:
        raise ValueError(f"the text {text!r} holds no name; write names separated by '. ', for "
                         "example 'cat. remote control'")
    return names


def read_names(path: str | PathLike) -> list[str]:
    """Read a text file of names, one a line, in UTF-8 or, with its mark, in UTF-16.

    Args:
        path: The file; blank lines are skipped.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is no such text, or names nothing.
    """
    text = read_text(path)
    if '\0' in text:
        raise ValueError(f"'{path}', line {text[:text.index(chr(0))].count(chr(10)) + 1}: it holds "
                         'zero bytes, so it is no UTF-8; save the file as UTF-8')
    names = [line.strip() for line in text.splitlines() if not is_blank(line)]
    if not names:
        raise ValueError(f"'{path}' names nothing; write one name a line")
    return names


def listed(names: str | Iterable[str]) -> list[str]:
    """Return names as a list; a string is one name, not its letters."""
    return [names] if isinstance(names, str) else list(names)


def check_names(names: Sequence[str]) -> list[str]:
    """Check class names and return them as a list.

    Raises:
        TypeError: If ``names`` is one string, or a name is not a string.
        ValueError: If there is no name.
    """
    if isinstance(names, str):
        raise TypeError(f'names must be a list of class names, got the string {names!r}; did '
                        f'you mean [{names!r}]?')
    names = list(names)
    if not names:
        raise ValueError('the list of class names is empty; give at least one name')
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f'class name {index} must be a string, got {name!r}')
    return names
