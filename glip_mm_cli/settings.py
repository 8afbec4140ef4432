"""Values of ``--cfg-options KEY=VALUE``."""

import re
from typing import Any

#: Stands for a space inside a string while MMEngine reads the value, which removes spaces.
_SPACE = '\x00'


def read_setting(word: str) -> Any:
    """Read a value as MMEngine does (``1``, ``true``, ``[a,b]``), but keep the spaces in strings.

    What is quoted as a whole, and no list, is a string as it is, commas included: the way to give
    any path.

    Args:
        word: Value on the command line.

    Raises:
        AssertionError, RecursionError: Of MMEngine, for brackets that do not match.

    Example:
        >>> read_setting('[my photos, 2]'), read_setting("'a, b'"), read_setting('3')
        (['my photos', 2], 'a, b', 3)
    """
    from mmengine.config import DictAction
    quoted = re.fullmatch(r'(["\'])(?![\[(])(.*)\1', word, re.DOTALL)
    if quoted:
        return quoted[2]
    marked = re.sub(r'\s*([\[\](),])\s*', r'\1', word.strip()).replace(' ', _SPACE)
    return _restored(DictAction._parse_iterable(marked))


def _restored(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_SPACE, ' ')
    if isinstance(value, (list, tuple)):
        return type(value)(map(_restored, value))
    return value
