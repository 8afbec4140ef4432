"""Labels shards on a Ray cluster: actors that come and go, each with a teacher of its own.

Ray Data hands the shards out, starts actors as there is work and room for them, and gives the shard
of a lost actor to another one. That each is labelled once is not left to it: actors claim and write
shards as any other process does, so both may work on one folder.
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import MMLogger
from tqdm import tqdm

from glip_mm.file_lock import exclusive

from .captioned_images import Shard
from .labeller import ShardFiles, finish, label_if_free
from .teacher import Teacher

INSTALL = 'pip install -r requirements/ray.txt'
#: How often a shard is tried again whose actor died; one that always kills its actor (by the
#: memory it takes, say) would otherwise be tried forever.
RETRIES = 3


class Actors(NamedTuple):
    """How many actors there may be; each takes one GPU, or one CPU where the teacher runs on it.

    Attributes:
        least: That many are started at once.
        most: None: as many as the cluster has room for.
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


#: One at first, and as many as there is room for.
AUTOMATIC = Actors()


class LostShards(RuntimeError):
    """Some shards could not be labelled; the others are."""


class _Labeller:
    """What runs in an actor."""

    def __init__(self, shards: Sequence[Shard], build_teacher: Callable[[], Teacher],
                 folder: Path, batch_size: int, workers: int) -> None:
        self.shards, self.teacher = shards, build_teacher()
        self.folder, self.batch_size = folder, batch_size
        self.pool = ThreadPoolExecutor(max(workers, 1))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        shard, error = self.shards[row['index']], ''
        counts: Counter | None = None
        try:
            with tqdm(disable=True) as bar:
                counts = label_if_free(shard, self.teacher, self.folder, self.batch_size,
                                       self.pool, bar)
        except OSError as trouble:  # a full disk is not mended by trying the next shard
            error = str(trouble)
        return dict(index=row['index'], counts=json.dumps(counts), error=error)


def label_with_ray(shards: Sequence[Shard], build_teacher: Callable[[], Teacher],
                   folder: str | Path, batch_size: int = 8, workers: int = 2,
                   actors: Actors = AUTOMATIC, gpu: bool = False, address: str | None = None,
                   poll: float = 2.) -> Counter:
    """Label all shards that are not labelled yet, as :func:`~.labeller.label` does.

    Args:
        shards: Of :func:`~.find_shards`; their paths must be the same on all machines.
        build_teacher: Makes the model, in each actor.
        folder: As of :func:`~.labeller.label`, on a file system that all machines share.
        batch_size: Images that go through the network together.
        workers: Threads of an actor that decode images ahead.
        actors: How many there may be.
        gpu: Whether an actor takes a GPU; otherwise a CPU.
        address: Of a running cluster, ``'auto'`` for one of this machine; None: one is started on
            this machine, and stopped at the end.
        poll: Seconds between looks at a shard that another process works on.

    Returns:
        How many samples came to what, of the shards that were labelled.

    Raises:
        ImportError: If Ray is missing.
        OSError: If results cannot be written.
        LostShards: If shards are left whose actors died or failed again and again.
    """
    folder = Path(folder)
    # an actor may work in another folder
    left = [replace(shard, file=shard.file.absolute(), images=shard.images.absolute())
            for shard in shards if not ShardFiles(folder, shard).labels.exists()]
    counts: Counter = Counter()
    with tqdm(total=len(shards), initial=len(shards) - len(left), unit='shard',
              desc='labelling') as bar:
        lost: list[Shard] = []
        with _cluster(address, gpu) if left else nullcontext():
            while left:
                busy = []
                for row in _rows(len(left), actors, gpu, dict(
                        shards=left, build_teacher=build_teacher, folder=folder.absolute(),
                        batch_size=batch_size, workers=workers)):
                    shard, found = left[row['index']], json.loads(row['counts'])
                    if row['error']:
                        raise OSError(f"shard {shard.name}: {row['error']}")
                    if found is None:
                        busy.append(shard)
                        continue
                    counts.update(found)
                    bar.update()
                    bar.set_postfix(counts)
                lost += [s for s in left if s not in busy
                         and not ShardFiles(folder, s).labels.exists()]
                left = busy
                _wait_for_others(left, folder, poll)
    if lost:
        names = ', '.join(shard.name for shard in lost[:5]) + (', ...' if len(lost) > 5 else '')
        raise LostShards(
            f'{len(lost)} of {len(shards)} shards are not labelled ({names}): their '
            f'actors failed or died {RETRIES + 1} times;'
            " the causes are above and in Ray's log files; the same command tries them again")
    finish(shards, folder)
    return counts


def _wait_for_others(shards: Sequence[Shard], folder: Path, poll: float) -> None:
    """Wait while all shards belong to processes outside of this run, or to actors cut off."""
    while shards:
        for shard in shards:
            files = ShardFiles(folder, shard)
            with exclusive(files.claim, wait=False) as mine:
                if mine or files.labels.exists():
                    return
        time.sleep(poll)


def _rows(count: int, actors: Actors, gpu: bool, options: dict[str, Any]
          ) -> Iterator[dict[str, Any]]:
    """Results as they come; those of failed shards are missing."""
    import ray.data

    # a block a shard: it is the unit that is handed out, tried again and reported
    dataset = ray.data.from_items([dict(index=i) for i in range(count)], override_num_blocks=count)
    context = dataset.context
    context.max_errored_blocks = -1  # the others go on
    context.enable_progress_bars = context.print_on_execution_start = False
    # a shard may take hours, and "no progress" is counted in shards
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
    # read when Ray is imported; it would tell its makers how it is used
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
    # what actors write goes to Ray's log files, and not through the progress bar
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
