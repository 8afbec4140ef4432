"""Options that a call passes on."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from inspect import signature


def check_options(options: Iterable[str], function: Callable, caller: str) -> None:
    """Check that a function takes the options that are passed on to it.

    Args:
        options: Names of keyword arguments.
        function: Function that gets them.
        caller: What the user called, for the message.

    Raises:
        TypeError: If it does not know one; suggests the nearest.
    """
    known = list(signature(function).parameters)
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise TypeError(f'{caller} has no option {name!r}'
                            + (f'; did you mean {near[0]!r}?' if near else ''))
