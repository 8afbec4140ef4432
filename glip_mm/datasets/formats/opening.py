"""Opening of a folder of any format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.coco_file import SIZE_READ, categories_of, placeholder
from glip_mm.datasets.report import Report

from .base import FORMATS, Format, Sniffed, SplitFiles
from .records import unpacked

#: Confidence above which a folder is a data set rather than a folder of data sets.
CERTAIN = 0.5


class OpenFolder:
    """Splits of a folder, read when they are asked for.

    Args:
        path: The folder, or a file given in its place.
        format: Its format.
        reason: What it was recognised by.
        splits: Name -> split.
    """

    def __init__(self, path: Path, format: Format, reason: str,
                 splits: Mapping[str, SplitFiles]) -> None:
        self.path, self.format, self.reason = path, format, reason
        self.splits = {name: replace(split, keeps_group=partial(self._elsewhere, name))
                       for name, split in splits.items()}
        self.name = path.resolve().stem if path.is_file() else path.resolve().name
        self._read: dict[str, tuple[dict[str, list[dict]], Report]] = {}

    def describe(self) -> str:
        """Say what it was recognised as, and why."""
        return f"'{self.path}': {self.format.title}: {self.reason}"

    def report(self, split: str) -> Report:
        """Return the counts of what was changed or left out in a split."""
        self.content(split)
        return self._read[split][1]

    def content(self, split: str) -> dict[str, list[dict]]:
        """Read a split in the form of COCO, see :func:`glip_mm.datasets.coco_file.content_of`.

        Raises:
            DataError: If nothing in it can be used.
        """
        if split not in self._read:
            self._read[split] = self.splits[split].read()
            self._read[split][1].log()
        return self._read[split][0]

    def classes(self, split: str) -> tuple[str, ...]:
        """Return the class names of a split in label order.

        A category that only groups the others is a class if it has boxes in any split.
        """
        content = self.content(split)
        _, names = categories_of(content, self.splits[split].source)
        if len(names) < len(content['categories']) and self._elsewhere(
                split, content['categories']):
            names = tuple(row['name'] for row in sorted(content['categories'],
                                                        key=lambda row: row['id']))
        return names

    def _elsewhere(self, split: str, categories: Sequence[dict]) -> bool:
        """Return whether the first of some categories has boxes in another split."""
        group = placeholder(categories, ())
        return any(a['category_id'] == group for other, files in self.splits.items()
                   if other != split and files.holds == 'boxes'
                   for a in self.content(other)['annotations'])

    def image_folder(self, split: str, out: Path) -> Path:
        """Return the folder of a split's images.

        Args:
            split: Name of the split.
            out: Folder to write them to, if they lie inside other files.
        """
        return unpacked(self.splits[split], out / f'{split or "all"}_images').images

    def coco_file(self, split: str, out: Path) -> Path:
        """Return a COCO-format file of a split.

        Args:
            split: Name of the split.
            out: Folder for the file, if there is none in this format yet.
        """
        files = self.splits[split]
        complete = files.is_coco and not self.report(split).changed[SIZE_READ]
        return files.source if complete else write_coco(
            out / f'{split or "all"}.json', self.content(split))


def write_coco(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a COCO-format file with a digest of its content in its name.

    Returns:
        Its path, such as ``val_1f0c9a2b.json`` for ``val.json``.
    """
    text = json.dumps(content).encode()
    return Path(write_atomically(path.with_stem(f'{path.stem}_{digest_of(text)}'), text))


def digest_of(content: bytes) -> str:
    """Return eight hexadecimal digits that identify a content."""
    return sha256(content).hexdigest()[:8]


def recognise(path: str | Path, name: str | None = None) -> tuple[Format, Sniffed] | None:
    """Find the format of a folder; None if it is of none.

    Args:
        path: Folder, or a file in its place.
        name: Name of the format in :data:`FORMATS`; default: the most confident guess.

    Raises:
        ValueError: If there is no format of that name.
    """
    path = Path(path)
    if name is not None:
        if name not in FORMATS:
            raise ValueError(f"format '{name}' is none of {', '.join(FORMATS)}")
        return FORMATS[name], FORMATS[name].sniff(path) or Sniffed(1, 'as was said')
    guesses = [(each, found) for each in FORMATS.values() if (found := each.sniff(path))]
    best = max(guesses, key=lambda guess: guess[1].confidence, default=None)
    if best is None:
        return None
    # a format of several names, such as LVIS and COCO, is recognised by the same file
    others = [f'{each.title} ({found.reason})' for each, found in guesses
              if found.confidence >= CERTAIN and found.reason.split("'")[1:2] != (
                  best[1].reason.split("'")[1:2])]
    note = f'; not read are {" and ".join(others)}: give their path' if others else ''
    return best[0], best[1]._replace(reason=best[1].reason + note)


def open_folder(path: str | Path, name: str | None = None) -> OpenFolder:
    """Open a folder of any format in :data:`FORMATS`.

    Args:
        path: Folder, or a file in its place (an annotation file, a ``data.yaml``).
        name: Name of the format; default: the most confident guess.

    Raises:
        FileNotFoundError: If it does not exist, its format is not known or images are missing.
        ValueError: If its files are not of that format.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"'{path}' does not exist")
    found = recognise(path, name)
    if found is None:
        raise FileNotFoundError(
            f"'{path}' holds no annotations in a format that is read. Looked for:\n"
            + '\n'.join(f'  {each.title}: {each.layout}' for each in FORMATS.values())
            + f'\nThere: {_there(path)}')
    splits = {split.name: split for split in found[0].splits(path)}
    if not splits:
        raise FileNotFoundError(f"'{path}' was recognised as {found[0].title} "
                                f'({found[1].reason}), but holds no split')
    return OpenFolder(path, found[0], found[1].reason, splits)


def formats_table() -> str:
    """Return a Markdown table of all formats, for the documents."""
    rows = ['| `format` | what | looked for |', '| --- | --- | --- |']
    rows += [f'| `{each.name}` | {each.title} | {each.layout} |' for each in FORMATS.values()]
    return '\n'.join(rows)


def _there(path: Path) -> str:
    """List the first files and folders."""
    if path.is_file():
        return 'this is a file of another format'
    names = sorted(p.name + '/' * p.is_dir() for p in path.iterdir())
    return ', '.join(names[:12]) + ', ...' * (len(names) > 12) or 'nothing, it is empty'
