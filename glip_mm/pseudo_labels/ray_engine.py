"""Labelling of shards on a Ray cluster: elastic actors, each with its own teacher.

Ray Data distributes the shards, starts actors as there is work and room for them, and reassigns the
shard of a lost actor. That each is labelled once does not depend on it: actors claim and write
shards like any other process, so both may work on one folder.
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import MMLogger
from tqdm import tqdm

from glip_mm.file_lock import exclusive

from .captioned_images import Shard, UnreadableShard
from .labeller import finish, label_if_free
from .teacher import Teacher

INSTALL = 'pip install glip_mm[ray]'
#: Number of retries of a shard whose actor died; a shard that always kills its actor (for example
#: by its memory) would otherwise be retried forever.
RETRIES = 3
LOST = (f"its actors failed or died {RETRIES + 1} times; the causes are above and in Ray's log "
        'files')


class Actors(NamedTuple):
    """Number of actors; each takes one GPU, or one CPU if the teacher runs on it.

    Attributes:
        least: Minimum number; that many are started at once.
        most: Maximum number; None: as many as the cluster has room for.
    """

    least: int = 1
    most: int | None = None

    @classmethod
    def parse(cls, text: str) -> 'Actors':
        """Read ``'MIN'``, ``'MIN:MAX'`` or ``'MIN:'`` (no upper limit).

        Raises:
            ValueError: If it is none of them.

        Example:
            >>> Actors.parse('2:8')
            Actors(least=2, most=8)
        """
        first, colon, last = text.partition(':')
        try:
            actors = cls(int(first), int(last) if last else None if colon else int(first))
        except ValueError:
            actors = cls(0)
        if actors.least < 1 or (actors.most is not None and actors.most < actors.least):
            raise ValueError(f"--actors must be MIN, MIN:MAX or MIN: with 1 <= MIN <= MAX, "
                             f"got '{text}'")
        return actors


#: One actor at first, and as many as there is room for.
AUTOMATIC = Actors()


class _Labeller:
    """Code that runs in an actor."""

    def __init__(self, shards: Sequence[Shard], build_teacher: Callable[[], Teacher],
                 folder: Path, batch_size: int, workers: int) -> None:
        self.shards, self.teacher = shards, build_teacher()
        self.folder, self.batch_size = folder, batch_size
        self.pool = ThreadPoolExecutor(max(workers, 1))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        shard, error, unreadable = self.shards[row['index']], '', ''
        counts: Counter | None = None
        try:
            with tqdm(disable=True) as bar:
                counts = label_if_free(shard, self.teacher, self.folder, self.batch_size,
                                       self.pool, bar)
        except UnreadableShard as trouble:
            unreadable, counts = str(trouble), Counter()
        except OSError as trouble:  # after a full disk the next shard would fail, too
            error = str(trouble)
        return dict(index=row['index'], counts=json.dumps(counts), error=error,
                    unreadable=unreadable)


def label_with_ray(shards: Sequence[Shard], build_teacher: Callable[[], Teacher],
                   folder: str | Path, batch_size: int = 8, workers: int = 2,
                   actors: Actors = AUTOMATIC, gpu: bool = False, address: str | None = None,
                   poll: float = 2.) -> Counter:
    """Label all shards that are not labelled yet, as :func:`~.labeller.label` does.

    Args:
        shards: Shards from :func:`~.find_shards`; their paths must be the same on all machines.
        build_teacher: Function that builds the teacher, in each actor.
        folder: Folder of the run, see :func:`~.labeller.label`, on a file system that all
            machines share.
        batch_size: Number of images per forward pass.
        workers: Number of threads per actor that decode images ahead.
        actors: Limits of the number of actors.
        gpu: Whether an actor takes a GPU; otherwise a CPU.
        address: Address of a running cluster, ``'auto'`` for one on this machine; None: one is
            started on this machine, and stopped at the end.
        poll: Interval in seconds of checking a shard that another process works on.

    Returns:
        Number of samples by outcome, of the shards that were labelled.

    Raises:
        ImportError: If Ray is missing.
        OSError: If results cannot be written.
        LostShards: If shards are left that cannot be read, or whose actors died or failed
            repeatedly.
        DataError: If nothing in the source can be labelled.
    """
    folder = Path(folder)
    left = [shard for shard in shards if not shard.files(folder).labels.exists()]
    counts: Counter = Counter()
    with tqdm(total=len(shards), initial=len(shards) - len(left), unit='shard',
              desc='labelling') as bar:
        lost: dict[str, str] = {}
        with _cluster(address, gpu) if left else nullcontext():
            while left:
                busy = []
                for row in _rows(len(left), actors, gpu, dict(
                        shards=left, build_teacher=build_teacher, folder=folder.absolute(),
                        batch_size=batch_size, workers=workers)):
                    shard, found = left[row['index']], json.loads(row['counts'])
                    if row['error']:
                        raise OSError(f"shard {shard.name}: {row['error']}")
                    if row['unreadable']:
                        lost[shard.name] = row['unreadable']
                        continue
                    if found is None:
                        busy.append(shard)
                        continue
                    counts.update(found)
                    bar.update()
                    bar.set_postfix(counts)
                for shard in left:
                    if shard not in busy and not shard.files(folder).labels.exists():
                        lost.setdefault(shard.name, LOST)
                left = busy
                _wait_for_others(left, folder, poll)
    finish(shards, folder, lost)
    return counts


def _wait_for_others(shards: Sequence[Shard], folder: Path, poll: float) -> None:
    """Wait while all shards belong to processes outside of this run, or to disconnected actors."""
    while shards:
        for shard in shards:
            files = shard.files(folder)
            with exclusive(files.claim, wait=False) as mine:
                if mine or files.labels.exists():
                    return
        time.sleep(poll)


def _rows(count: int, actors: Actors, gpu: bool, options: dict[str, Any]
          ) -> Iterator[dict[str, Any]]:
    """Iterate over results as they arrive; those of failed shards are missing."""
    import ray.data

    # one block per shard: it is the unit of scheduling, retries and progress
    dataset = ray.data.from_items([dict(index=i) for i in range(count)], override_num_blocks=count)
    context = dataset.context
    context.max_errored_blocks = -1  # a failed shard must not stop the others
    context.enable_progress_bars = context.print_on_execution_start = False
    # a shard may take hours, and Ray counts progress in shards
    context.execution_no_progress_timeout_s = -1
    most = min(actors.most or count, count)
    return dataset.map(
        _Labeller, fn_constructor_kwargs=options,
        compute=ray.data.ActorPoolStrategy(min_size=min(actors.least, most), max_size=most),
        max_restarts=-1, max_task_retries=RETRIES,
        **(dict(num_gpus=1) if gpu else dict(num_cpus=1))).iter_rows()


@contextmanager
def _cluster(address: str | None, gpu: bool) -> Iterator[None]:
    """Connect to a cluster, or start one, unless that was done before."""
    # must be set before Ray is imported; disables its usage reports
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(f'--engine ray needs Ray Data ({error}): {INSTALL}') from error
    logging.getLogger('ray.data').setLevel(logging.WARNING)
    if ray.is_initialized():
        yield
        return
    where: dict[str, Any] = dict(address=address) if address else dict(
        address='local', include_dashboard=False)
    # actors' output goes to Ray's log files, not through the progress bar
    ray.init(**where, log_to_driver=False, logging_level=logging.WARNING)
    try:
        resources = ray.cluster_resources()
        MMLogger.get_current_instance().info(
            'Ray: %g CPUs, %g GPUs', resources.get('CPU', 0), resources.get('GPU', 0))
        if gpu and not address and not resources.get('GPU'):
            raise ValueError("--device cuda: Ray finds no GPU on this machine; give --device cpu, "
                             'or the --ray-address of a cluster that has some')
        yield
    finally:
        ray.shutdown()
