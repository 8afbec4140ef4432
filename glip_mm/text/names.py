"""Class names: the published cleaning, and lists of names as users write them."""
import re
from collections.abc import Iterable, Sequence
from os import PathLike

from .text_file import read_text

_PARENTHESES = re.compile(r'\(.*\)')
_CUSTOM_SEPARATOR = re.compile(r'\.(?:\s+|$)|[\r\n]+')
#: A name that holds one of these looks like several.
SEPARATORS = ('. ', ',', ';', '\n', '|')


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
    names = [name for name in names if name]
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
    names = [line.strip() for line in text.splitlines() if line.strip()]
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
