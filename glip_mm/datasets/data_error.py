"""Error of data that a user has to correct, and reading of small files of users."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glip_mm.limits import JSON_BYTES
from glip_mm.text import text_file
from glip_mm.text.safe_json import load_json

#: Encodings of old programs; the last fits anything.
LEGACY = ('cp1252', 'latin-1')


class DataError(ValueError):
    """Data that cannot be used as they are. Tools print only the message, so it must say all."""


def read_text(path: str | Path, encodings: Sequence[str] = ()) -> str:
    """Read a text file in UTF-8, or in UTF-16 if it says so.

    Args:
        path: Path of the file; a byte order mark is no part of the text.
        encodings: Encodings to try if it is neither.

    Raises:
        FileNotFoundError: If there is no such file, or it is no regular one.
        DataError: If it has another encoding.
    """
    try:
        return text_file.read_text(path, encodings)
    except ValueError as error:
        raise DataError(str(error)) from error


def read_json(path: str | Path, **options: Any) -> Any:
    """Read a JSON file that may come from anywhere.

    Args:
        path: Path of the file.
        options: Arguments of ``json.loads``.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is not JSON in UTF-8, too large, or nested too deeply; names the line.
    """
    if os.path.isfile(path) and os.path.getsize(path) > JSON_BYTES.value:
        raise DataError(f"'{path}' has {os.path.getsize(path):,} bytes, more than {JSON_BYTES}")
    try:
        return load_json(read_text(path), **options)
    except DataError:
        raise
    except json.JSONDecodeError as error:
        raise DataError(f"'{path}' line {error.lineno} is no JSON ({error.msg}): write or export "
                        'it again') from error
    except ValueError as error:
        raise DataError(f"'{path}' is no JSON that can be read ({error}): write or export it "
                        'again') from error
