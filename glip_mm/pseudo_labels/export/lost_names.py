"""Class names that a format, or a program that reads it, cannot hold."""

from collections.abc import Callable, Iterable

from mmengine.logging import MMLogger

#: Number of names in a message.
_SHOWN = 5


def warn_of_changed(names: Iterable[str], to: str, read_as: Callable[[str], str]) -> None:
    """Warn of names that come back as others.

    Args:
        names: Class names.
        to: Name of the format.
        read_as: Function from a name to what readers of the format get.
    """
    changed = [f'{name!r} as {got!r}' for name in names if (got := read_as(name)) != name]
    warn_of(changed, f"are read back from '{to}' as others")


def warn_of(names: Iterable[str], what: str) -> None:
    """Warn of names, if there are any.

    Args:
        names: Class names, as the message shows them.
        what: What is wrong with them: the predicate of "these names".
    """
    names = list(names)
    if names:
        more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
        MMLogger.get_current_instance().warning(
            f"these class names {what}: {', '.join(names[:_SHOWN])}{more}; rename them, or export "
            "to 'coco'")
