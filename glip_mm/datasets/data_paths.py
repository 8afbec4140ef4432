"""Paths that data name: they stay below the folder that the user gave."""

import os
from pathlib import Path, PurePath

#: Bytes of a name of a file or folder, at most, in all common file systems.
_LONGEST = 255


def below(root: str | Path | None, name: str, absolute: bool = False) -> str:
    """Return the path of a file that data name.

    What lies below the root is the user's own, links to other places included.

    Args:
        root: Folder that names start from. Without one, data may name any file: the user left it
            to them.
        name: Name of the file in the data.
        absolute: Allow absolute names although there is a root, as for one that nobody chose.

    Raises:
        ValueError: If the name leads out of the root, or can be no file's.

    Example:
        >>> below('images', 'a/../b.jpg'), below('', '/data/b.jpg')
        ('images/b.jpg', '/data/b.jpg')
        >>> below('images', '../b.jpg')
        Traceback (most recent call last):
        ValueError: the file name '../b.jpg' leads out of 'images': ...
    """
    if not _is_name(name):
        raise ValueError(f'no file is called {str(name)[:80]!r}')
    if not root or not str(root):
        return name
    # by its text, so that 'link/..' is no way out either
    short = os.path.normpath(name)
    if os.path.isabs(short) or os.path.splitdrive(short)[0]:
        if absolute or PurePath(short).is_relative_to(os.path.abspath(root)):
            return short
    elif short.split(os.sep)[0] != os.pardir:
        return str(Path(root) / short)
    raise ValueError(f"the file name {name[:200]!r} leads out of '{root}': give the folder that "
                     'all names start from, or none for absolute names')


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or not name or '\0' in name:
        return False
    try:
        return all(len(os.fsencode(part)) <= _LONGEST for part in PurePath(name).parts)
    except UnicodeEncodeError:  # of a lone surrogate
        return False
