"""Labelling of shards, each exactly once, with any number of processes and interruptions."""

import io
import itertools
import json
import tarfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from glip_mm.atomic_files import replacing, write_atomically
from glip_mm.file_lock import exclusive

from .captioned_images import Sample, Shard
from .teacher import Ready, Reject, Teacher

#: Number of batches whose images are sorted by shape together, which reduces padding.
BATCHES_OF_WINDOW = 8


class ShardFiles:
    """Result files of a shard.

    Args:
        folder: Folder of the run.
        shard: Shard of the results.
    """

    def __init__(self, folder: Path, shard: Shard) -> None:
        suffix = 'tar' if shard.is_tar else 'jsonl'
        #: File of the labels, written last: it marks the shard as done.
        self.labels = folder / 'labels' / f'{shard.name}.{suffix}'
        self.rejects = folder / 'rejects' / f'{shard.name}.jsonl'
        self.claim = folder / 'claims' / shard.name

    def clean(self) -> None:
        """Delete temporary files of a killed process; only for the owner of the claim."""
        for path in (self.labels, self.rejects):
            for begun in path.parent.glob(f'.{path.name}.*.tmp'):
                begun.unlink()


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
    """
    folder = Path(folder)
    order = [*shards[rank * len(shards) // world_size:], *shards[:rank * len(shards) // world_size]]
    done: set[str] = set()
    counts: Counter[str] = Counter()
    with tqdm(total=len(shards), unit='shard', desc='labelling') as bar, \
            ThreadPoolExecutor(max(workers, 1)) as pool:
        while len(done) < len(shards):
            before = len(done)
            for shard in order:
                if shard.name in done:
                    continue
                found = label_if_free(shard, teacher, folder, batch_size, pool, bar)
                if found is not None:
                    counts += found
                    done.add(shard.name)
                    bar.update()
                    bar.set_postfix(counts)
            if len(done) == before:
                if rank:
                    break  # others work on the remaining shards; the first process waits for them
                time.sleep(poll)
    if not rank:
        finish(shards, folder)
    return counts


def label_if_free(shard: Shard, teacher: Teacher, folder: Path, batch_size: int,
                  pool: ThreadPoolExecutor, bar: tqdm) -> Counter | None:
    """Label a shard, unless another process works on it.

    Returns:
        Number of samples by outcome, empty if it was labelled before; None if another process
        works on it.
    """
    files = ShardFiles(folder, shard)
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
    files.clean()
    rows: list[dict | Reject | None] = []
    samples: list[Sample] = []
    counts: Counter = Counter()
    size = batch_size * BATCHES_OF_WINDOW
    for window in _ahead(shard, size, teacher, pool):
        begin = len(rows)
        rows += [found if isinstance(found, Reject) else None for found in window]
        samples += [found.sample for found in window]
        for batch in _batches(window, batch_size):
            labelled = teacher.label([found for _, found in batch])
            for (i, _), row in zip(batch, labelled):
                rows[begin + i] = row
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
    return ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows).encode()


def _write_tar(path: Path, rows: Sequence[tuple]) -> None:
    """Write images and ODVG records side by side, without timestamps or owners."""
    with replacing(path) as file, tarfile.open(fileobj=file, mode='w') as tar:
        for sample, row in rows:
            stem = sample.name.rpartition('.')[0]
            record = json.dumps({**sample.fields, **row}, ensure_ascii=False).encode()
            for name, content in ((sample.name, sample.image), (f'{stem}.json', record)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def finish(shards: Sequence[Shard], folder: Path) -> None:
    """Join the rejects of all shards, and write the summary."""
    counts: dict[str, int] = Counter()
    with replacing(folder / 'rejects.jsonl') as out:
        for shard in shards:
            for line in ShardFiles(folder, shard).rejects.read_bytes().splitlines(keepends=True):
                counts[json.loads(line)['cause']] += 1
                out.write(line)
    for shard in shards:
        files = ShardFiles(folder, shard)
        if shard.is_tar:
            with tarfile.open(files.labels) as tar:
                counts['labelled'] += sum(name.endswith('.json') for name in tar.getnames())
        else:
            with open(files.labels, 'rb') as file:
                counts['labelled'] += sum(1 for _ in file)
    write_atomically(folder / 'summary.json', (json.dumps(
        dict(shards=len(shards), samples=sum(counts.values()), **dict(sorted(counts.items()))),
        indent=1) + '\n').encode())
