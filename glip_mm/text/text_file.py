"""Text files as users write them, read in one way everywhere."""

import os
from collections.abc import Sequence
from pathlib import Path


def read_text(path: str | os.PathLike, encodings: Sequence[str] = ()) -> str:
    """Read a text file in UTF-8, or in UTF-16 if it says so.

    Args:
        path: Path of the file; a byte order mark is no part of the text.
        encodings: Encodings to try if it is neither.

    Raises:
        FileNotFoundError: If there is no such file, or it is no regular one.
        ValueError: If it has another encoding.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"'{path}' is missing, or no regular file")
    content = Path(path).read_bytes()
    own = 'utf-16' if content[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig'
    for encoding in (own, *encodings):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            # of the last encoding
            line, reason = content[:error.start].count(b'\n') + 1, error
    raise ValueError(f"'{path}' is not in UTF-8 (line {line}: {reason}): save it in that encoding")
