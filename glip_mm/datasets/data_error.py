"""Error of data that a user has to correct, and reading of small files of users."""

import json
from pathlib import Path
from typing import Any


class DataError(ValueError):
    """Data that cannot be used as they are. Tools print only the message, so it must say all."""


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8, with a byte order mark or without.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it has another encoding.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"'{path}' is missing, or no regular file")
    try:
        return Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise DataError(f"'{path}' is not in UTF-8 ({error}): save it in that encoding") from error


def read_json(path: str | Path, **options: Any) -> Any:
    """Read a JSON file of a user.

    Args:
        path: Path of the file.
        options: Arguments of ``json.loads``.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is not JSON in UTF-8.
    """
    try:
        return json.loads(read_text(path), **options)
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"'{path}' is no JSON ({error}): write it again") from error
