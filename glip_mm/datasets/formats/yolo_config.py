"""Configuration of a YOLO folder: ``data.yaml`` of Ultralytics, ``obj.data`` of Darknet."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from glip_mm.datasets.data_error import LEGACY, DataError, read_text
from glip_mm.datasets.report import Report
from glip_mm.text.names import is_blank
from glip_mm.text.safe_yaml import load_yaml

from .image_annotations import head, names_in

NAMELESS = 'class without a name, called by its number'
OTHER_COUNT = "number of classes 'nc' that is not that of 'names', which are read"
SAME_NAME = 'class of the same name as another, made one with it'
_USUAL = ('data.yaml', 'dataset.yaml')
#: What YAML has for no value.
EMPTY = ('', '~', 'null', 'Null', 'NULL')
#: Number of classes beyond which ``nc`` is a mistake.
LARGEST_COUNT = 100_000
_SPLIT_KEY = re.compile(rb'^\s*["\']?(train|val|valid|validation|test)["\']?\s*[:=]', re.M)
_NAMES_KEY = re.compile(rb'^\s*["\']?(names|nc)["\']?\s*[:=]', re.M)


def fault(path: Path, what: str) -> DataError:
    """Build the error that says what is wrong with a configuration."""
    return DataError(f"'{path}': {what}; it must be like\n  train: images/train\n  val: images/val"
                     '\n  names: [cat, dog]')


def read_yaml(path: Path) -> dict:
    """Read a ``data.yaml``; all its values are texts: ``no`` is a class, and not False.

    Raises:
        DataError: If it cannot be parsed (names the line), or is no mapping.
    """
    try:
        # builds texts, lists and mappings only, so it is as safe as safe_load
        content = load_yaml(read_text(path, LEGACY), yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, 'problem_mark', None)
        line = f' line {mark.line + 1}' if mark else ''
        raise DataError(f"'{path}'{line} is no YAML: "
                        f'{getattr(error, "problem", None) or error}') from None
    if not isinstance(content, dict):
        raise fault(path, 'it is no mapping')
    return content


def _read_darknet(path: Path) -> dict:
    """Read ``obj.data`` of Darknet: lines of ``key = value``."""
    pairs = (line.partition('=') for line in read_text(path, LEGACY).splitlines())
    content = {key.strip(): value.strip() for key, _, value in pairs if value.strip()}
    return {'nc' if key == 'classes' else key: value for key, value in content.items()}


def whole(text: object) -> int | None:
    """Return the whole number that is written in a text; None for anything else."""
    return int(text) if isinstance(text, str) and text.strip().isdecimal() else None


def class_names(names: Any, count: Any, path: Path, report: Report) -> dict[int, str]:
    """Return the class names by index.

    Args:
        names: List, mapping of indices to names, or nothing.
        count: Number of classes where they have no names.
        path: Path of the file, for messages.
        report: Report that counts what is changed.

    Raises:
        DataError: If ``names`` is anything else.
    """
    if names is None or names in EMPTY or not names:
        number = whole(count)
        if number is None or number > LARGEST_COUNT:
            raise fault(path, "it has neither 'names' nor a number of classes 'nc'")
        names = [''] * number
    if not isinstance(names, (list, dict)):
        raise fault(path, f"'names' is {names!r:.50}, which is no list and no file that is there")
    found: dict[int, str] = {}
    for key, name in names.items() if isinstance(names, dict) else enumerate(names):
        index = key if isinstance(key, int) else whole(key)
        if index is None or not isinstance(name, str):
            raise fault(path, f"entry {key!r:.50} of 'names' is no index with a text")
        name = '' if is_blank(name) else name.strip()
        if not name:
            report.change(NAMELESS, f'{path} class {index}')
        elif name in found.values():
            report.change(SAME_NAME, f'{path} class {index} ({name!r})')
        found[index] = name or f'class {index}'
    if whole(count) not in (None, len(found)):
        report.change(OTHER_COUNT, f'{path}: nc {count}, {len(found)} names')
    return dict(sorted(found.items()))


def name_lines(path: Path) -> list[str]:
    """Return the lines of a file of names; empty ones between others count."""
    return read_text(path, LEGACY).rstrip().splitlines()


def configs(folder: Path) -> Iterator[Path]:
    """Iterate over the ``data.yaml`` or ``obj.data`` of a folder, under whatever name."""
    names = names_in(folder, ('.yaml', '.yml', '.data'))
    names.sort(key=lambda name: (name not in _USUAL, name))
    return (folder / name for name in names if is_config(folder / name))


def the_config(folder: Path) -> Path | None:
    """Return the configuration of a folder.

    Raises:
        DataError: If several of unusual names mean different classes or splits.
    """
    paths = configs(folder)
    first = next(paths, None)
    if first is None or first.name in _USUAL:
        return first
    one = read_config(first)
    for other in paths:
        two = read_config(other)
        differ = [key for key in ('names', 'nc', 'train', 'val', 'valid', 'test')
                  if one.get(key) != two.get(key)]
        if differ:
            raise DataError(f"'{folder}' holds '{first.name}' and '{other.name}', which differ in "
                            f'{", ".join(differ)}: give the path of one of them')
    return first


def read_config(path: Path) -> dict:
    """Read a configuration of either kind."""
    return _read_darknet(path) if path.suffix == '.data' else read_yaml(path)


def is_config(path: Path) -> bool:
    """Return whether a file names splits and classes."""
    # without zero bytes UTF-16 looks like ASCII
    text = head(path).lstrip(b'\xef\xbb\xbf\xff\xfe').replace(b'\0', b'')
    return bool(_SPLIT_KEY.search(text) and _NAMES_KEY.search(text))
