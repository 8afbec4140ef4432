"""Configs as Python source: plain values in, the same values out, and never code.

MMEngine's ``pretty_text`` does not escape keys, and its reader replaces ``{{ ... }}`` in the text
of a file before Python sees it, also within strings: the name of a folder or class could become
code.
"""

import keyword
import re
from collections.abc import Mapping
from typing import Any

_WIDTH = 100
#: Levels of dicts and lists; configs have about ten.
_DEEPEST = 60
#: Names that MMEngine or Python gives a meaning of its own at the top of a config.
_RESERVED = ('_base_', '_delete_', 'dict', 'filename', 'float', 'text', 'pretty_text',
             'env_variables')


def config_text(content: Mapping[str, Any], strict: bool = True) -> str:
    """Write a config as Python source, of assignments of plain values alone.

    Args:
        content: Keys and values: dicts, lists, tuples, text, numbers, flags and None. Classes and
            functions, which only Python can have put there, are written by name.
        strict: False: anything else is written as text, and keys that are no names as comments.

    Raises:
        ValueError: If a key or value can't be written; the message names it.
    """
    lines = []
    for key, value in _sorted(content):
        if _is_name(key) and key not in _RESERVED and not key.startswith('__'):
            lines.append(f'{key} = {_source(value, key, 0, len(key) + 3, strict)}\n')
        elif strict:
            raise ValueError(f'{key!r} cannot be a key of a config: give it another name')
        else:
            lines.append(comment(f'{key!r}: {value!r}'))
    return ''.join(lines)


def _sorted(content: Mapping) -> list[tuple[Any, Any]]:
    # the order in which a config was put together is none of its values
    return sorted(content.items(), key=lambda item: str(item[0]))


def comment(text: str) -> str:
    """Write a text as a comment of one line, whatever it contains."""
    shown = ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return f'# {_without_braces(shown, "{ ")}\n'


def text_literal(text: str) -> str:
    """Write a text as a Python literal that MMEngine's reader leaves alone."""
    return _without_braces(repr(text), r'\x7b')


def _without_braces(text: str, brace: str) -> str:
    # a single brace means nothing to the reader
    return re.sub(r'\{(?=\{)', lambda _: brace, text)


def _source(value: Any, where: str, depth: int, used: int, strict: bool) -> str:
    """Write a value: on one line if it fits behind ``used`` characters, else a line for each item.

    Raises:
        ValueError: See :func:`config_text`.
    """
    if depth > _DEEPEST:
        raise ValueError(f'{where[:80]}... is nested more than {_DEEPEST} levels deep')
    if value is None or type(value) in (bool, int):
        return repr(value)
    if type(value) is float:
        # 1e999 is how a literal says infinity
        return repr(value).replace('inf', '1e999') if value == value else "float('nan')"
    if isinstance(value, str):
        return text_literal(str(value))
    if isinstance(value, Mapping):
        # MMEngine empties what it is merged with; our own configs say True, a name of data no flag
        if strict and value.get('_delete_', True) is not True:
            raise ValueError(f"{where} has the key '_delete_', which has a meaning of its own in "
                             'configs: give it another name')
        plain = all(map(_is_name, value))
        opening, closing = ('dict(', ')') if plain else ('{', '}')
        items = [(f'{k}=' if plain else f'{_key(k, where)}: ', v, f'{where}.{k}')
                 for k, v in _sorted(value)]
    elif isinstance(value, (list, tuple)):
        opening, closing = '[]' if isinstance(value, list) else '()'
        items = [('', v, f'{where}[{i}]') for i, v in enumerate(value)]
    elif callable(value) and hasattr(value, '__qualname__'):
        return text_literal(f'{value.__module__}.{value.__qualname__}')
    elif not strict:
        return text_literal(str(value))
    else:
        raise ValueError(f'{where} is {str(value)[:80]!r}, a {type(value).__name__}: a config '
                         'holds text, numbers, lists and dicts alone')
    indent = 4 * (depth + 1)
    written = [name + _source(v, place, depth + 1, indent + len(name), strict)
               for name, v, place in items]
    comma = ',' if isinstance(value, tuple) and len(value) == 1 else ''
    line = f'{opening}{", ".join(written)}{comma}{closing}'
    if '\n' not in line and used + len(line) < _WIDTH:
        return line
    inner = f',\n{" " * indent}'.join(written)
    return f'{opening}\n{" " * indent}{inner}{comma}{closing}'


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return text_literal(str(key))
    if type(key) in (int, float, bool):
        return repr(key)
    raise ValueError(f'{where} has the key {key!r}, a {type(key).__name__}: keys of a config are '
                     'text or numbers')


def _is_name(key: Any) -> bool:
    # Python normalises other letters: the key would be another one when it is read
    return isinstance(key, str) and key.isidentifier() and key.isascii() and not (
        keyword.iskeyword(key))
