"""Reading of pickled numbers, texts, lists and dicts, without running what a file says."""

import pickle
from pathlib import Path
from typing import Any

from .data_error import DataError


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise DataError(f'it names {module}.{name}, which could run code')


def read_plain_pickle(path: str | Path) -> Any:
    """Read a pickle file of builtin values alone.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is damaged, or holds anything but numbers, texts, lists, dicts and sets.
    """
    try:
        with open(path, 'rb') as file:
            return _PlainUnpickler(file).load()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged pickle raises errors of any type
        raise DataError(f"'{path}' is no pickle file of plain values: "
                        f'{error or type(error).__name__}') from error
