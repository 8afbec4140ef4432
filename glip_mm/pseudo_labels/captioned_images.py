"""Sources of captioned images, divided into shards: the units of work.

A source is a tar shard in img2dataset's layout or a folder of such, JSON lines, CSV, or a folder
of images with a caption beside each.
"""

import csv
import itertools
import json
import logging
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from mmengine.logging import print_log

from glip_mm.image_suffixes import IMAGE_SUFFIXES, FolderImages

#: Names of the column or field of the image's file, and of the caption.
FILE_KEYS = ('filename', 'file_name', 'image', 'path', 'filepath')
CAPTION_KEYS = ('caption', 'text')


class Sample(NamedTuple):
    """An image with its caption."""

    #: File name in the data; for a shard the name within it.
    name: str
    #: Caption, None if there is none.
    caption: str | None
    #: Encoded image as bytes or path.
    image: bytes | Path | None
    #: Other fields of the JSON in a tar shard.
    fields: dict[str, object]


@dataclass(frozen=True)
class Shard:
    """Samples that are labelled as a unit: all of them or none."""

    #: Name of the result files; unique within a source.
    name: str
    file: Path
    #: Root folder of relative image files.
    images: Path
    #: Range [first, end) of the lines or files; None: all of a tar file.
    lines: tuple[int, int] | None

    @property
    def is_tar(self) -> bool:
        """Return whether results are written as a tar file, too."""
        return self.lines is None

    def __iter__(self) -> Iterator[Sample]:
        if self.lines is None:
            return _tar_samples(self.file)
        if self.file.is_dir():
            return _folder_samples(self.file, *self.lines)
        return _row_samples(self.file, self.images, *self.lines)


def find_shards(path: str | Path, images: str | Path | None = None,
                shard_size: int = 1000) -> list[Shard]:
    """Find the shards of a source.

    Args:
        path: A ``.tar`` file or a folder of them; a ``.jsonl``, ``.csv`` or ``.tsv`` file with
            columns :data:`FILE_KEYS` and :data:`CAPTION_KEYS`; or a folder of images with ``.txt``
            files beside them.
        images: Root folder of image files in rows; default: that of the file.
        shard_size: Number of samples per shard, if the source has no shards.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is nothing to label, or the format is unknown.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"--data '{path}' does not exist")
    if shard_size < 1:
        raise ValueError(f'--shard-size must be positive, got {shard_size}')
    folder = Path(images) if images else path if path.is_dir() else path.parent
    if path.is_dir():
        tars = sorted(path.glob('*.tar'))
        if tars:
            return [Shard(tar.stem, tar, folder, None) for tar in tars]
        found = FolderImages(path, recursive=True, companions=('.txt', ))
        count = len(found.files)
        if found.left_out:
            print_log(found.summary(), logger='current', level=logging.WARNING)
        what = f'images ({" ".join(IMAGE_SUFFIXES)}) or .tar files'
    elif path.suffix == '.tar':
        return [Shard(path.stem, path, folder, None)]
    elif path.suffix in ('.jsonl', '.csv', '.tsv'):
        with open(path, encoding='utf-8', newline='') as file:
            count = sum(1 for _ in _rows(path, file))
        what = 'rows'
    else:
        raise ValueError(f"--data '{path}': give a folder, or a .tar, .jsonl, .csv or .tsv file")
    if not count:
        raise ValueError(f"--data '{path}' holds no {what}")
    starts = range(0, count, shard_size)
    width = max(5, len(str(len(starts) - 1)))
    return [Shard(f'{i:0{width}d}', path, folder, (start, min(start + shard_size, count)))
            for i, start in enumerate(starts)]


def _folder_samples(folder: Path, first: int, end: int) -> Iterator[Sample]:
    for path in FolderImages(folder, recursive=True).files[first:end]:
        text = path.with_suffix('.txt')
        caption = text.read_text(encoding='utf-8').strip() if text.is_file() else None
        yield Sample(path.relative_to(folder).as_posix(), caption, path, {})


def _rows(path: Path, file: TextIO) -> Iterator[Any]:
    if path.suffix == '.jsonl':
        return (line for line in file if line.strip())
    return csv.DictReader(file, delimiter='\t' if path.suffix == '.tsv' else ',')


def _row_samples(path: Path, images: Path, first: int, end: int) -> Iterator[Sample]:
    with open(path, encoding='utf-8', newline='') as file:
        rows = enumerate(itertools.islice(_rows(path, file), first, end), first + 1)
        for number, row in rows:
            if isinstance(row, str):
                try:
                    row = json.loads(row)
                except ValueError:
                    row = None
            if not isinstance(row, dict):
                yield Sample(f'row {number}', None, None, {})
                continue
            name = next((row[k] for k in FILE_KEYS if row.get(k)), None)
            caption = next((row[k] for k in CAPTION_KEYS if row.get(k)), None)
            yield Sample(str(name or f'row {number}'), caption if isinstance(caption, str) else
                         None, images / str(name) if name else None, {})


def _tar_samples(path: Path) -> Iterator[Sample]:
    """Iterate over samples: consecutive files with the same key, as in webdataset's format."""
    with tarfile.open(path) as tar:
        members = ((m, *m.name.rpartition('.')[::2]) for m in tar if m.isfile())
        for key, group in itertools.groupby(members, key=lambda found: found[1]):
            parts = {suffix.lower(): tar.extractfile(member).read()  # type: ignore[union-attr]
                     for member, _, suffix in group}  # members are files, which have content
            suffix = next((s[1:] for s in IMAGE_SUFFIXES if s[1:] in parts), None)
            try:
                fields = dict(json.loads(parts.get('json', b'{}')))
            except (ValueError, TypeError):
                fields = {}
            text = parts.get('txt', b'').decode('utf-8', 'replace').strip()
            yield Sample(f'{key}.{suffix}' if suffix else key, text or fields.get('caption'),
                         parts[suffix] if suffix else None, fields)
