"""Labelling of shards, each exactly once, with any number of processes and interruptions."""

import io
import itertools
import json
import tarfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.logging import MMLogger
from tqdm import tqdm

from glip_mm.atomic_files import replacing, write_atomically
from glip_mm.datasets.converters.records import json_line
from glip_mm.datasets.data_error import DataError
from glip_mm.file_lock import exclusive
from glip_mm.text.safe_json import load_json

from .captioned_images import Shard, UnreadableShard
from .sample import Reject, Sample
from .shard_files import BROKEN_SHARD, ShardFiles, recording
from .teacher import NOTHING_FOUND, Ready, Teacher

#: Number of batches whose images are sorted by shape together, which reduces padding.
BATCHES_OF_WINDOW = 8


class LostShards(RuntimeError):
    """Some shards could not be labelled; all others are.

    Args:
        total: Number of shards of the run.
        reasons: Name of a shard that is not labelled -> reason.
    """

    def __init__(self, total: int, reasons: Mapping[str, str]) -> None:
        shown = '; '.join(f'{name}: {why}' for name, why in list(reasons.items())[:5])
        more = f'; and {len(reasons) - 5} more' if len(reasons) > 5 else ''
        super().__init__(f'{len(reasons)} of {total} shards are not labelled ({shown}{more}); all '
                         'others are; the same command tries these again')


def label(shards: Sequence[Shard], teacher: Teacher, folder: str | Path, batch_size: int = 8,
          workers: int = 2, rank: int = 0, world_size: int = 1, poll: float = 2.) -> Counter:
    """Label all shards that are not labelled yet.

    A shard's results depend neither on earlier interruptions nor on the process that labels it.
    Any number of processes may do this at the same time, on one folder.

    Args:
        shards: Shards from :func:`~.find_shards`.
        teacher: Teacher model.
        folder: Folder of the run; gets ``labels/SHARD.jsonl`` (or ``.tar``),
            ``rejects/SHARD.jsonl``, and at the end ``rejects.jsonl`` and ``summary.json``.
        batch_size: Number of images per forward pass.
        workers: Number of threads that decode images ahead.
        rank: Index of this process, which selects the shard that it begins with. The first process
            waits for the others, and takes over their unfinished shards.
        world_size: Number of processes.
        poll: Interval in seconds of checking the other processes' progress.

    Returns:
        Number of samples by outcome, of the shards that this process labelled.

    Raises:
        LostShards: If the system does not let some shards be read; after all others.
        DataError: If nothing in the source can be labelled.
    """
    folder = Path(folder)
    order = [*shards[rank * len(shards) // world_size:], *shards[:rank * len(shards) // world_size]]
    done: set[str] = set()
    unreadable: dict[str, str] = {}
    counts: Counter[str] = Counter()
    total = sum(shard.count for shard in shards) or None  # tar shards do not tell theirs
    with tqdm(total=total, unit='image', desc='labelling') as bar, \
            ThreadPoolExecutor(max(workers, 1)) as pool:
        while len(done) + len(unreadable) < len(shards):
            before = len(done) + len(unreadable)
            for shard in order:
                if shard.name in done or shard.name in unreadable:
                    continue
                try:
                    found = label_if_free(shard, teacher, folder, batch_size, pool, bar)
                except UnreadableShard as error:
                    unreadable[shard.name] = str(error)
                    continue
                if found is not None:
                    counts += found
                    done.add(shard.name)
                    bar.update(0 if found else shard.count)
                    bar.set_postfix({'shards': f'{len(done)}/{len(shards)}', **counts})
            if len(done) + len(unreadable) == before:
                if rank:
                    break  # others work on the remaining shards; the first process waits for them
                time.sleep(poll)
    if not rank:
        finish(shards, folder, unreadable)
    return counts


def label_if_free(shard: Shard, teacher: Teacher, folder: Path, batch_size: int,
                  pool: ThreadPoolExecutor, bar: tqdm) -> Counter | None:
    """Label a shard, unless another process works on it.

    Returns:
        Number of samples by outcome, empty if it was labelled before; None if another process
        works on it.
    """
    files = shard.files(folder)
    # the claim ends with the process that holds it, however that ends; several machines need a
    # shared file system with locks (NFS 4, Lustre with flock)
    with exclusive(files.claim, wait=False) as mine:
        if not mine:
            return None
        if files.labels.exists():
            return Counter()
        return _label_shard(shard, teacher, files, batch_size, pool, bar)


def _label_shard(shard: Shard, teacher: Teacher, files: ShardFiles, batch_size: int,
                 pool: ThreadPoolExecutor, bar: tqdm) -> Counter:
    rows: list[dict | Reject | None] = []
    samples: list[Sample] = []
    counts: Counter = Counter()
    size = batch_size * BATCHES_OF_WINDOW
    for window in _ahead(shard, size, teacher, pool):
        begin = len(rows)
        rows += [found if isinstance(found, Reject) else None for found in window]
        bar.update(len(window) - rows[begin:].count(None))
        samples += [found.sample for found in window]
        for batch in _batches(window, batch_size):
            labelled = teacher.label([found for _, found in batch])
            for (i, _), row in zip(batch, labelled):
                rows[begin + i] = row
            bar.update(len(batch))
        for outcome in rows[begin:]:
            counts[outcome.cause if isinstance(outcome, Reject) else 'labelled'] += 1
        bar.set_postfix(None, True, shard=shard.name, samples=len(rows), **counts)
    # rejects first: the labels mark the shard as done
    write_atomically(files.rejects, _lines(
        row.record() for row in rows if isinstance(row, Reject)))
    good = [(s, row) for s, row in zip(samples, rows) if isinstance(row, dict)]
    if shard.is_tar:
        _write_tar(files.labels, good)
    else:
        write_atomically(files.labels, _lines(row for _, row in good))
    return counts


def _ahead(shard: Iterable[Sample], size: int, teacher: Teacher, pool: ThreadPoolExecutor
           ) -> Iterator[list[Ready | Reject]]:
    """Iterate over windows of prepared samples; one is prepared while another is labelled."""
    samples = iter(shard)

    def submit() -> list:
        return [pool.submit(teacher.prepare, s) for s in itertools.islice(samples, size)]

    window = submit()
    while window:
        following = submit()
        yield [future.result() for future in window]
        window = following


def _batches(window: Sequence[Ready | Reject], batch_size: int
             ) -> Iterator[list[tuple[int, Ready]]]:
    """Group samples of similar shape, with their indices; reproducible from the window alone."""
    ready = [(i, found) for i, found in enumerate(window) if isinstance(found, Ready)]
    ready.sort(key=lambda one: (tuple(one[1].data['inputs'].shape[-2:]), one[0]))
    return (ready[k:k + batch_size] for k in range(0, len(ready), batch_size))


def _lines(rows: Iterable[dict]) -> bytes:
    return b''.join(map(json_line, rows))


def _write_tar(path: Path, rows: Sequence[tuple]) -> None:
    """Write images and ODVG records side by side, without timestamps or owners."""
    with replacing(path) as file, tarfile.open(fileobj=file, mode='w') as tar:
        for sample, row in rows:
            stem = sample.name.rpartition('.')[0]
            record = json_line({**sample.fields, **row})
            for name, content in ((sample.name, sample.image), (f'{stem}.json', record)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def finish(shards: Sequence[Shard], folder: Path, lost: Mapping[str, str]) -> None:
    """Join the rejects of all shards, write the summary, and report what is broken.

    Args:
        shards: All shards of the run.
        folder: Folder of the run.
        lost: Name of a shard that is not labelled -> reason.

    Raises:
        LostShards: If shards are lost.
        DataError: If no sample could be labelled or looked at.
    """
    done = [(shard, shard.files(folder)) for shard in shards]
    done = [(shard, files) for shard, files in done if files.labels.exists()]
    counts: dict[str, int] = Counter()
    with recording(folder):
        with replacing(folder / 'rejects.jsonl') as out:
            for _, files in done:
                for line in files.rejects.read_bytes().splitlines(keepends=True):
                    counts[load_json(line)['cause']] += 1
                    out.write(line)
        for shard, files in done:
            if shard.is_tar:
                with tarfile.open(files.labels) as tar:
                    counts['labelled'] += sum(name.endswith('.json') for name in tar.getnames())
            else:
                with open(files.labels, 'rb') as file:
                    counts['labelled'] += sum(1 for _ in file)
        broken = {shard.name: why for shard, files in done if (why := files.broken())}
        samples = sum(counts.values()) - counts[BROKEN_SHARD]
        write_atomically(folder / 'summary.json', (json.dumps(
            dict(shards=len(done), samples=samples, **dict(sorted(counts.items()))),
            indent=1) + '\n').encode())
        _delete_temporary_files(done, folder)
    if broken:
        MMLogger.get_current_instance().warning(
            '%d of %d shards are broken; what lies before the break is labelled: %s. Fetch them '
            'again and repeat the command, which labels those anew', len(broken), len(shards),
            '; '.join(f"'{name}': {why}" for name, why in broken.items()))
    lost = {name: why for name, why in lost.items() if name not in {s.name for s, _ in done}}
    if lost:
        raise LostShards(len(shards), lost)
    if not any(counts[outcome] for outcome in ('labelled', *NOTHING_FOUND)):
        raise DataError(f"none of {samples:,} samples could be labelled: " + ', '.join(
            f'{count:,} {cause}' for cause, count in sorted(counts.items()) if count)
            + f"; '{folder / 'rejects.jsonl'}' names them. Delete '{folder}' or choose another "
            '--out once the data are mended')


def _delete_temporary_files(done: Iterable[tuple[Shard, ShardFiles]], folder: Path) -> None:
    """Delete what killed processes began.

    Nobody else writes into the files of finished shards, nor, while this process is
    :func:`.shard_files.recording`, into those of the run.
    """
    paths = {path for _, files in done for path in (files.labels, files.rejects)}
    paths |= {folder / name for name in ('rejects.jsonl', 'summary.json', 'source.json')}
    for parent in {path.parent for path in paths}:
        for begun in parent.glob('.*.tmp'):
            if parent / begun.name[1:].rsplit('.', 2)[0] in paths:  # .NAME.PID.tmp
                begun.unlink(missing_ok=True)
