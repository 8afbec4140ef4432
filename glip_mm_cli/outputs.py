"""Outputs that are not written over what is read."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

#: Attributes of arguments that name what is written.
_WRITTEN = ('out', 'output', 'dst', 'label_map', 'out_predictions')


def check_apart(path: str | Path, *sources: str | Path | None) -> None:
    """Refuse to write over a file that is read.

    Args:
        path: File to write; it need not be there.
        sources: What is read; None and what is no file are skipped.

    Raises:
        ValueError: If they are the same file.
    """
    path = Path(path)
    for source in sources:
        if source is not None and path.is_file() and Path(source).is_file() and path.samefile(
                source):
            raise ValueError(f"'{path}' is read, and would be written over: give another output")


def check_outputs(args: argparse.Namespace) -> argparse.Namespace:
    """End the program if an argument names an output that another one names as an input.

    Returns:
        ``args``.
    """
    for name in _WRITTEN:
        for path in _paths(getattr(args, name, None)):
            try:
                check_apart(path, *(source for other, value in vars(args).items() if other != name
                                    for source in _paths(value)))
            except ValueError as error:
                sys.exit(f'{Path(sys.argv[0]).name}: error: {error}')
    return args


def _paths(value: object) -> Iterator[str | Path]:
    for each in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(each, (str, Path)) and len(str(each)) < 4096 and '\0' not in str(each):
            yield each
