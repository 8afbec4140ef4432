"""Values of the measuring tools' command lines, checked before anything is measured."""

import argparse
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number from 1 on')
    return value


def share(text: str) -> float:
    """Read a number above 0, up to 1."""
    value = finite(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f'{text!r} is no number above 0, up to 1')
    return value


def finite(text: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text!r} is no number')
    return value


def json_file(text: str) -> str:
    """Take a file that can be written, which a Markdown file of the same name goes with."""
    path = Path(text)
    if path.is_dir() or path.suffix == '.md':
        raise argparse.ArgumentTypeError(f"'{text}' is no JSON file: name one to write")
    new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'ab'):
            pass
    except OSError as error:
        raise argparse.ArgumentTypeError(f"'{text}' cannot be written: {error.strerror}") from None
    if new:
        path.unlink()
    return text


def command_line(argv: Sequence[str] | None = None) -> str:
    """Return the command that repeats this run from the root of a clone."""
    program, *words = sys.argv if argv is None else argv
    path = Path(program).resolve()
    if ROOT in path.parents:
        parts = path.relative_to(ROOT).with_suffix('').parts
        program = '-m ' + '.'.join(parts[:-1] if parts[-1] == '__main__' else parts)
    return ' '.join(['python', program, *map(shlex.quote, words)])
