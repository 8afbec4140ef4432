"""Outputs that are not written over what is read."""

import argparse
import json
import mmap
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Attributes of arguments that name a file that is written.
WRITTEN = ('out', 'output', 'dst', 'label_map', 'out_predictions', 'coco', 'html')
#: Those that name a folder that is written, where a run reads what it wrote before.
_FOLDERS = ('out_dir', 'show_dir', 'work_dir', 'write_images')
#: Files that name others: lists of images, bundles, rows, annotations.
_NAMING = ('.txt', '.list', '.yaml', '.yml', '.json', '.jsonl', '.csv', '.tsv')
#: What tools write; anything else in a folder that is read is a part of it.
_RESULTS = ('.json', '.jsonl', '.html', '.pkl', '.onnx', '.pt2', '.svg', '.pdf')
#: A folder with this file is a model, and all that it holds is read.
_MODEL = 'model.safetensors'


def check_apart(path: str | Path, *sources: str | Path | None) -> None:
    """Refuse to write over a file that is read.

    Args:
        path: File to write; it need not be there.
        sources: What is read: files, with those that lists, bundles and annotations name, and
            folders; None and what is neither are skipped.

    Raises:
        ValueError: If the file is one of them, or belongs to one.
    """
    path = Path(path)
    if not path.is_file():
        return
    there = [Path(source) for source in sources if source is not None]
    for source in there:
        if source.is_file() and path.samefile(source):
            raise ValueError(f"'{path}' is read, and would be written over: give another output")
        if source.is_dir() and _belongs(path, source) or source.is_file() and _names(
                source, path, [other for other in there if other.is_dir()]):
            raise ValueError(f"'{path}' belongs to '{source}', which is read, and would be written "
                             'over: give another output')


def check_folder_apart(folder: str | Path, files: Iterable[object]) -> None:
    """Refuse to write pictures into a folder that images are read from.

    Args:
        folder: Folder to write to; it need not be there.
        files: Images; what is no path is skipped.

    Raises:
        ValueError: If one of them is in the folder.
    """
    folder = Path(folder)
    if folder.is_dir():
        for parent in {Path(file).parent for file in _paths(list(files))}:
            if parent.is_dir() and parent.samefile(folder):
                raise ValueError(f"images are read from '{folder}', where pictures would be written"
                                 ' over them: give another output')


def check_outputs(args: argparse.Namespace) -> argparse.Namespace:
    """End the program if an argument names an output that another one names as an input.

    So it does if one names a file where a folder is written.

    Returns:
        ``args``.
    """
    program = Path(sys.argv[0]).name
    for name in _FOLDERS:
        for path in _paths(getattr(args, name, None)):
            if Path(path).is_file():
                print(f"{program}: error: --{name.replace('_', '-')} '{path}' is a file: give a "
                      'folder', file=sys.stderr)
                raise SystemExit(2)
    for name in WRITTEN:
        for path in _paths(getattr(args, name, None)):
            try:
                check_apart(path, *(source for other, value in vars(args).items()
                                    if other not in (name, *_FOLDERS)
                                    for source in _paths(value)))
            except ValueError as error:
                sys.exit(f'{program}: error: {error}')
    return args


def _belongs(path: Path, folder: Path) -> bool:
    inside = folder.resolve() in (parents := path.resolve().parents)
    return inside and (path.suffix.lower() not in _RESULTS
                       or any((parent / _MODEL).is_file() for parent in parents[:2]))


def _names(source: Path, path: Path, folders: list[Path]) -> bool:
    """Return whether a file of names has that of ``path``, as seen from any folder it may mean."""
    if source.suffix.lower() not in _NAMING or not source.stat().st_size:
        return False
    files = {path, path.resolve()}
    if path.suffix == '.lineidx':  # offsets of X.tsv, which alone is named
        files |= {file.with_suffix('.tsv') for file in files}
    starts = {Path(), source.parent, source.resolve().parent, *folders}
    forms = {str(file.absolute()) for file in files} | {
        os.path.relpath(file, start) for file in files for start in starts}
    forms |= {json.dumps(form)[1:-1] for form in forms}
    known = [os.fsencode(form) for form in sorted(forms)]
    before = rb"""(?:^|[\n\t"',;:=|\[({]|- ) *(?:\./)*"""
    after = rb""" *(?:$|[\r\n\t"',;|\])}]| #)"""
    with open(source, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return any(text.find(form) >= 0 and re.search(before + re.escape(form) + after, text)
                   for form in known)


def _paths(value: object) -> Iterator[str | Path]:
    for each in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(each, (str, Path)) and len(str(each)) < 4096 and '\0' not in str(each):
            yield each
