"""Tar shards as img2dataset writes them: images with captions, and ODVG records once labelled."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.odvg_rules import check_row
from glip_mm.datasets.report import WITH_ITS_ROW, Report
from glip_mm.datasets.storage.tar_members import BrokenTar, tar_members
from glip_mm.image_suffixes import is_image
from glip_mm.text.safe_json import load_json

from .annotation_files import root_of, split_in
from .base import Format, Sniffed, SplitFiles
from .records import NO_CLASSES, content_of_records, refusing

#: Members of the first shard that a guess looks at.
LOOKED_AT = 600
HOLDS = {'detection': 'boxes', 'grounding': 'phrases', 'captions': 'captions'}
BROKEN = 'shard that is cut off or broken, from there on'


def _shards(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder] if folder.suffix == '.tar' else []
    return sorted(folder.glob('*.tar')) or sorted(folder.glob('*/*.tar'))


def samples(path: Path, images: bool = False) -> Iterator[tuple[str, dict, bytes | None]]:
    """Iterate over the samples of a shard: KEY.json and KEY.jpg side by side.

    Args:
        path: The shard.
        images: Read the images, too.

    Yields:
        Name of the image; the JSON, or ``{'caption': ...}`` of a text file; the image.

    Raises:
        BrokenTar: If it cannot be read to its end; after the last complete sample.
    """
    text: dict = {}
    key, image, data, broken = None, '', None, None
    members = tar_members(path, read=True)
    while True:
        try:
            member, content = next(members)
        except StopIteration:
            break
        except BrokenTar as error:
            broken = error
            break
        stem, _, suffix = member.name.rpartition('.')
        if stem != key:
            if image and text:
                yield image, text, data
            key, image, text, data = stem, '', {}, None
        if is_image(member.name):
            image, data = _name(member.name), content if images else None
        elif suffix in ('json', 'txt'):
            text = _text(content, suffix, text)
    if image and text:
        yield image, text, data
    if broken is not None:
        raise broken


def _name(member: str) -> str:
    """Return the name of a member below the folder of its shard; its last part if it leads out."""
    name = member.replace('\\', '/')
    try:
        return below('.', name)
    except ValueError:
        return name.rpartition('/')[2]


def _text(content: bytes, suffix: str, known: dict) -> dict:
    if suffix == 'txt':
        return known or dict(caption=content.decode('utf-8', 'replace'))
    try:
        parsed = load_json(content)
    except ValueError:
        return known
    return parsed if isinstance(parsed, dict) else known


def _kind(path: Path) -> str:
    """Return what the first shard has: detection, grounding, captions; empty if none of them."""
    kind = ''
    try:
        for _, text, _ in islice(samples(path), LOOKED_AT):
            for found in ('detection', 'grounding'):
                if isinstance(text.get(found), dict):
                    return found
            if isinstance(text.get('caption'), str):
                kind = 'captions'
    except (BrokenTar, OSError):
        pass
    return kind


def sniff(folder: Path) -> Sniffed | None:
    """Guess by the first samples of the first shard."""
    shards = _shards(folder)
    kind = next(filter(None, map(_kind, shards[:3])), '')
    if not kind:
        return None
    what = ('images with captions, not labelled yet' if kind == 'captions' else
            f'images with records of {kind}')
    return Sniffed(.9, f"'{shards[0].name}' ({len(shards)} shards) has {what}")


def _folder_of(shard: Path, source: Path) -> str:
    """Return the folder for the images of a shard; splits have shards of the same names."""
    return shard.stem if source in (shard, shard.parent) else f'{shard.parent.name}_{shard.stem}'


def shard_records(shards: Sequence[Path], source: Path, kind: str) -> Records:
    """Read the records in shards; samples without one had nothing found in their image.

    Args:
        shards: The shards.
        source: Folder of the data set.
        kind: ``'detection'`` or ``'grounding'``.

    Returns:
        Records whose file names are ``SHARD/IMAGE``, as :func:`unpack` writes them.
    """
    report = Report(str(source))

    def records() -> Iterator[dict]:
        for shard in shards:
            try:
                for name, record, _ in samples(shard):
                    report.rows_read += 1
                    where = f'{shard.name} {name}'
                    if not isinstance(record.get(kind), dict):
                        report.drop(f'sample without {kind}', where)
                        continue
                    record['filename'] = f'{_folder_of(shard, source)}/{name}'
                    check = check_row(record)
                    report.boxes_read += check.boxes
                    if not check.usable:
                        report.drop(f'sample of {check.problems[-1].field}: '
                                    f'{check.problems[-1].cause}', where)
                        report.drop(WITH_ITS_ROW, where, check.boxes)
                        continue
                    report.rows_written += 1
                    report.boxes_written += check.boxes
                    yield record
            except (BrokenTar, OSError) as error:
                report.drop(BROKEN, f'{shard} ({error})')

    return Records(records(), None, None, report)


def unpack(shards: Sequence[Path], source: Path, folder: Path) -> None:
    """Write the images of shards to ``folder/SHARD/``; broken shards as far as they go."""
    for shard in shards:
        place = folder / _folder_of(shard, source)
        place.mkdir(parents=True, exist_ok=True)
        found = samples(shard, images=True)
        while True:
            try:
                name, _, data = next(found)
            except (BrokenTar, OSError, StopIteration):
                break  # the records count what is broken
            path = place / name
            if data is not None and not path.exists():
                write_atomically(path, data, durable=False)


def _read(shards: Sequence[Path], source: Path) -> tuple[dict, Report]:
    return content_of_records(shard_records(shards, source, 'detection'), source)


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each folder of shards."""
    groups: dict[Path, list[Path]] = {}
    for shard in _shards(folder):
        groups.setdefault(shard.parent, []).append(shard)
    result = []
    for place, shards in groups.items():
        kind = next(filter(None, map(_kind, shards[:3])), 'captions')
        source = folder if folder.is_file() else place
        captions = (f"'{source}' has captions without boxes: label it with tools/pseudo_label.py "
                    f'--data {source} first, which writes shards to train on')
        result.append(SplitFiles(
            '' if place == root_of(folder) else split_in(place.name) or place.name, source, source,
            partial(_read, shards, folder) if kind == 'detection' else
            refusing(captions if kind == 'captions' else f"'{source}' {NO_CLASSES}"),
            holds=HOLDS[kind],
            records=refusing(captions) if kind == 'captions' else partial(
                shard_records, shards, folder, kind),
            unpack=partial(unpack, shards, folder)))
    return result


FORMAT = Format(
    'tar', 'tar shards (img2dataset)', '{train/,val/,}*.tar with KEY.{jpg,png,webp} and KEY.{json,'
    'txt}; *_stats.json and *.parquet beside them are not needed', sniff, splits)
