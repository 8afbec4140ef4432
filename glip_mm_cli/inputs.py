"""Inputs of the tools that have to be there."""

import argparse
from pathlib import Path


def existing(text: str) -> str:
    """Take the path of a file or folder that is there, as the type of an argument."""
    try:
        there = Path(text).exists()
    except (OSError, ValueError):  # too long, or with a character that no path has
        there = False
    if there:
        return text
    raise argparse.ArgumentTypeError(f"'{text}' does not exist{similar_files(text)}")


def similar_files(path: str) -> str:
    """List files similar to a missing one, as the end of a message."""
    folder = Path(path).parent
    try:
        found = sorted(p.name for p in folder.glob(f'*{Path(path).suffix}'))
    except (OSError, ValueError):
        return ''
    if not folder.is_dir():
        return f"; there is no folder '{folder}'"
    return f"; in '{folder}' there are: {', '.join(found[:8])}" if found else ''
