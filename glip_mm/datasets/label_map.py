"""Label maps of ODVG detection data: ``{"0": "person", ...}``."""

import json
from pathlib import Path
from typing import Any

from glip_mm.atomic_files import write_atomically
from glip_mm.text.names import is_blank

from .data_error import DataError, read_json
from .odvg_rules import is_count, is_text


def read_label_map(path: str | Path) -> dict[int, str]:
    """Read a label map.

    Args:
        path: JSON file: ``{"0": "name", ...}``, in which labels may start anywhere and have gaps,
            ``["name", ...]``, or ``{"name": 0, ...}``.

    Returns:
        Label -> class name.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is anything else; names what was found.
    """
    try:
        content = read_json(path, object_pairs_hook=_Pairs)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'label map {error}') from None
    try:
        if isinstance(content, list) and not isinstance(content, _Pairs):
            pairs = list(enumerate(content))
        elif isinstance(content, _Pairs):
            swapped = bool(content) and all(is_count(value) for _, value in content)
            pairs = [(value, key) if swapped else (int(key), value) for key, value in content]
        else:
            raise ValueError('it is neither an object nor a list')
        return _checked(pairs)
    except ValueError as error:
        raise DataError(f"'{path}' is no label map ({error}): it must be {{\"0\": \"name\", ...}}, "
                        'as the converters write it') from None


def checked_label_map(path: str | Path) -> dict[int, str]:
    """Read a label map and check its names.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is no label map, a name is blank, or two labels have the same name: one
            of them would be drawn as a negative of the other.
    """
    names = read_label_map(path)
    if not names:
        raise DataError(f"'{path}' names no class: write {{\"0\": \"name\", ...}}")
    first: dict[str, int] = {}
    for label, name in names.items():
        if is_blank(name):
            raise DataError(f"'{path}': label {label} has the name {name!r}: give it one in words")
        if name in first:
            raise DataError(f"'{path}': labels {first[name]} and {label} are both called "
                             f'{name!r}: merge them or tell them apart')
        first[name] = label
    return names


class _Pairs(list):
    """Keys and values of a JSON object, repeated keys included."""


def _checked(pairs: list[tuple[int, Any]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for label, name in pairs:
        if not is_count(label) or label < 0:
            raise ValueError(f'label {label} is not a whole number from 0')
        if not is_text(name):
            raise ValueError(f'the name of label {label} is no text')
        if label in names:
            raise ValueError(f'label {label} is there twice, as {names[label]!r} and {name!r}')
        names[label] = name
    return names


def write_label_map(label_map: dict[int, str], path: str | Path) -> None:
    """Write a label map completely or not at all.

    Args:
        label_map: Label -> class name.
        path: The file; its folder is made if missing.
    """
    path = Path(path)
    content = json.dumps({str(label): label_map[label] for label in sorted(label_map)},
                         ensure_ascii=False, indent=0)
    write_atomically(path, content.encode() + b'\n')
