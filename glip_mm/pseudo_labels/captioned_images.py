"""Sources of images, most with captions, divided into shards: the units of work.

A source is a tar shard in img2dataset's layout or a folder of such, JSON lines, CSV, or a folder
of images with or without a caption beside each. A run has one source, which is recorded in its
folder with the place where each shard begins, so that shards are read without what comes before
them.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from glip_mm.atomic_files import replacing, write_atomically
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.storage.file_identity import identify, place
from glip_mm.datasets.storage.tar_members import BrokenTar, link_of, tar_members
from glip_mm.image_suffixes import IMAGE_SUFFIXES, is_image
from glip_mm.text.safe_json import load_json

from .caption_folder import FolderList, ListedFolder
from .caption_rows import SEPARATORS, CaptionRows, Start
from .sample import Sample
from .settings import refuse_changes
from .shard_files import BROKEN_SHARD, ShardFiles, recording

#: Record of a run's source, and the list of its images if that is a folder.
RECORD, LIST = 'source.json', 'images.jsonl'


class UnreadableShard(RuntimeError):
    """A shard that the system does not let read: another attempt may succeed."""


@dataclass(frozen=True)
class Shard:
    """Samples that are labelled as a unit: all of them or none."""

    #: Name of the result files; unique within a source.
    name: str
    #: A tar file, or the rows of which these are some.
    source: Path | CaptionRows
    start: Start = Start(0, 0, 0)
    count: int = 0
    #: Whether images have captions.
    captions: bool = True

    @property
    def is_tar(self) -> bool:
        """Return whether results are written as a tar file, too."""
        return isinstance(self.source, Path)

    def files(self, folder: Path) -> ShardFiles:
        """Return the result files in the folder of a run."""
        return ShardFiles(folder, self.name, self.is_tar)

    def __iter__(self) -> Iterator[Sample]:
        """Iterate over the samples.

        Raises:
            UnreadableShard: If the system cannot read it.
        """
        try:
            yield from (_tar_samples(self.source, self.captions)
                        if isinstance(self.source, Path) else
                        self.source.samples(self.start, self.count))
        except OSError as error:
            raise UnreadableShard(str(error)) from error


def find_shards(path: str | Path, folder: str | Path, images: str | Path | None = None,
                shard_size: int = 1000, captions: bool = True) -> list[Shard]:
    """Find the shards of a source, and record it in the folder of the run.

    Any number of processes may do this at the same time; one of them reads the source.

    Args:
        path: A ``.tar`` file or a folder of them; a ``.jsonl``, ``.csv`` or ``.tsv`` file with
            columns :data:`~.caption_rows.FILE_KEYS` and :data:`~.caption_rows.CAPTION_KEYS`; or a
            folder of images, with ``captions`` with ``.txt`` files beside them.
        folder: Folder of the run.
        images: Root folder of image files in rows; default: that of the file.
        shard_size: Number of samples per shard, if the source has no shards.
        captions: Whether images have captions; otherwise none is read, and none is missing.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is nothing to label, the format is unknown, or the run was begun with
            another source.
    """
    path, folder = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    if not path.exists():
        raise FileNotFoundError(f"--data '{path}' does not exist")
    if shard_size < 1:
        raise ValueError(f'--shard-size must be positive, got {shard_size}')
    suffix = path.suffix.lower()
    if path.is_dir():
        tars = sorted(file for file in path.iterdir()
                      if file.suffix.lower() == '.tar' and not file.is_dir())
    elif suffix == '.tar':
        tars = [path]
    elif suffix in SEPARATORS:
        tars = []
    else:
        raise ValueError(f"--data '{path}': give a folder, or a .tar, .jsonl, .csv or .tsv file")
    if tars:
        with recording(folder):
            return [replace(shard, captions=captions) for shard in _tar_shards(path, tars, folder)]
    root = Path(os.path.abspath(images)) if images else path if path.is_dir() else path.parent
    return _row_shards(path, root, folder, shard_size, captions)


def _row_shards(path: Path, images: Path, folder: Path, shard_size: int, captions: bool
                ) -> list[Shard]:
    """Return the shards of rows, or of a folder by the rows of its list."""
    rows_file = folder / LIST if path.is_dir() else path
    facts: dict[str, Any] = dict(path=place(path), images=place(images), shard_size=shard_size)
    record, is_new = _read_record(folder), False
    if record is None:
        with recording(folder):
            record = _read_record(folder)
            if record is None:
                record, is_new = _make_record(path, rows_file, images, facts, captions), True
                _write_record(folder, record)
    if not is_new:
        if path.is_dir():
            listed = FolderList(path, captions)
            for _ in listed.lines():  # whether anything changed is all that matters
                pass
            facts.update(listed.facts())
        else:
            facts.update(identify(path)._asdict())
        refuse_changes(folder, 'of other data', record['source'], facts)
    rows = (ListedFolder if path.is_dir() else CaptionRows).from_file(rows_file, images, captions)
    starts = [Start(*start) for start in record['starts']]
    width = max(5, len(str(len(starts) - 1)))
    return [Shard(f'{i:0{width}d}', rows, start, min(shard_size, record['count'] - start.row))
            for i, start in enumerate(starts)]


def _make_record(path: Path, rows_file: Path, images: Path, facts: dict[str, Any],
                 captions: bool) -> dict[str, Any]:
    left_out: dict[str, int] = {}
    if path.is_dir():
        listed = FolderList(path, captions)
        with replacing(rows_file) as file:
            file.writelines(listed.lines())
        facts, left_out = {**facts, **listed.facts()}, dict(sorted(listed.left_out.items()))
        rows: CaptionRows = ListedFolder.from_file(rows_file, images, captions)
    else:
        facts = {**facts, **identify(path)._asdict()}
        rows = CaptionRows.from_file(path, images, captions)
    starts, count = rows.starts(facts['shard_size'])
    if not count:
        what = f'images ({" ".join(IMAGE_SUFFIXES)}) or .tar files' if path.is_dir() else 'rows'
        raise DataError(f"--data '{path}' holds no {what}")
    _require_a_usable_one(path, rows.samples(rows.first, count))
    _report_left_out(path, left_out)
    return dict(source=facts, count=count, starts=starts, left_out=left_out)


def _require_a_usable_one(path: Path, samples: Iterator[Sample]) -> None:
    """Raise an error if nothing can be labelled; reads until something can, most often one row."""
    causes: Counter[str] = Counter()
    first: dict[str, str] = {}
    for sample in samples:
        cause, detail = sample.fault, sample.detail
        if not cause and isinstance(sample.image, Path):
            if os.path.isfile(sample.image):
                return
            cause, detail = 'missing image', f"'{sample.image}'; --images says where names start"
        causes[cause] += 1
        first.setdefault(cause, f' (the first: {detail})' if detail else '')
    raise DataError(f"--data '{path}': none of {causes.total():,} samples can be labelled: "
                    + ', '.join(f'{count:,} {cause}{first[cause]}'
                                for cause, count in causes.most_common()))


def _tar_shards(path: Path, tars: Sequence[Path], folder: Path) -> list[Shard]:
    """Return the shards of tar files.

    Those that are new, or changed without having been labelled to their end, are taken as they are.
    """
    now = {tar.name: _identity(tar) for tar in tars}
    if len({tar.stem for tar in tars}) < len(tars):
        raise DataError(f"--data '{path}': two files differ in '.tar' and '.TAR' alone; rename one")
    begun = _read_record(folder)
    if begun is None:
        others = Counter('images beside .tar files' for file in (path.iterdir() if path.is_dir()
                         else ()) if is_image(file.name))
        _report_left_out(path, others)
    elif begun['source'] != now:
        for name, before in begun['source'].items():
            files = ShardFiles(folder, Path(name).stem, is_tar=True)
            if now.get(name) == before or not files.labels.exists():
                continue
            if name in now and files.broken():
                files.labels.unlink()  # it is labelled anew
            else:
                refuse_changes(folder, 'of other data', before, now.get(name, {}))
    if begun is None or begun['source'] != now:
        _write_record(folder, dict(source=now))
    return [Shard(tar.stem, tar) for tar in tars]


def _identity(tar: Path) -> dict[str, Any]:
    try:
        return identify(tar)._asdict()
    except OSError:  # labelling says why
        return {}


def _read_record(folder: Path) -> dict[str, Any] | None:
    try:
        return read_json(folder / RECORD)
    except FileNotFoundError:
        return None


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    write_atomically(folder / RECORD, json.dumps(record).encode() + b'\n')


def _report_left_out(path: Path, left_out: dict[str, int]) -> None:
    if left_out:
        MMLogger.get_current_instance().warning(
            "'%s': left out %s", path,
            ', '.join(f'{count:,} {what}' for what, count in left_out.items()))


def _tar_samples(path: Path, captions: bool) -> Iterator[Sample]:
    """Iterate over samples: consecutive files with the same key, as in webdataset's format.

    The last one stands for the rest of a shard that is broken.
    """
    key, count = '', 0
    parts: dict[str, bytes] = {}
    links: dict[str, str] = {}
    broken = None
    try:
        for member, content in tar_members(path, read=True, links=True):
            name, _, suffix = member.name.rpartition('.')
            if name != key and parts:
                yield _tar_sample(key, parts, captions, links)
                count, parts, links = count + 1, {}, {}
            key, parts[suffix.lower()] = name, content
            if link := link_of(member):
                links[suffix.lower()] = link
    except BrokenTar as error:
        broken = error
    if parts:
        last = _tar_sample(key, parts, captions, links)
        # of the last one of a broken shard a part may be missing
        if broken is None or (last.caption or not captions) and last.image is not None:
            yield last
            count += 1
    if broken is not None:
        yield Sample(path.name, None, None, {}, BROKEN_SHARD, f'{broken}, after {count} samples')


def _tar_sample(key: str, parts: dict[str, bytes], captions: bool, links: dict[str, str]
                ) -> Sample:
    suffix = next((s[1:] for s in IMAGE_SUFFIXES if s[1:] in parts), None)
    try:
        fields = dict(load_json(parts.get('json', b'{}')))
    except (ValueError, TypeError):
        fields = {}
    sample = Sample(f'{key}.{suffix}' if suffix else key, None,
                    parts[suffix] if suffix else None, fields)
    try:
        below('.', sample.name)
    except ValueError as error:  # the result is a tar file with the same names
        return sample._replace(fault='bad file name', detail=str(error))
    if links:
        return sample._replace(image=None, fault='link instead of a file',
                               detail=next(iter(links.values())))
    if not captions:
        return sample
    try:
        text = parts.get('txt', b'').decode('utf-8-sig').strip() or fields.get('caption')
    except UnicodeDecodeError as error:
        return sample._replace(fault='broken caption', detail=f'{key}.txt: {error}')
    return sample._replace(caption=text if isinstance(text, str) else None)
