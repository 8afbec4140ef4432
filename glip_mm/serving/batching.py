"""Batches across requests: one thread works, all others wait for their result."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


@dataclass(frozen=True)  # Python 3.10 has no generic NamedTuple
class _Job(Generic[Item, Result]):
    item: Item
    key: Hashable
    arrival: float
    future: 'Future[Result]'


class Batcher(Generic[Item, Result]):
    """Collects items that threads submit, and works on them in batches in a thread of its own.

    The oldest item is next, with those that wait for the same kind of batch.

    Args:
        run: Function from items to their results.
        key: Function from an item to its kind; a batch is of one kind.
        max_batch: Number of items in a batch, at most.
        max_wait: Seconds that an item waits for others, where the thread is idle.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Result]],
                 key: Callable[[Item], Hashable], max_batch: int, max_wait: float) -> None:
        self._run, self._key = run, key
        self.max_batch, self.max_wait = max_batch, max_wait
        self._jobs: deque[_Job[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name='batches', daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._jobs)

    def submit(self, item: Item) -> 'Future[Result]':
        """Submit an item.

        Returns:
            Its result, or the exception that it alone raises. An item whose result is cancelled
            leaves the queue at once.

        Raises:
            RuntimeError: If the batcher is closed.
        """
        job = _Job[Item, Result](item, self._key(item), time.monotonic(), Future())
        with self._changed:
            if self._closed:
                raise RuntimeError('the batcher is closed')
            self._jobs.append(job)
            self._changed.notify()
        job.future.add_done_callback(self._forget)
        return job.future

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _forget(self, future: 'Future[Result]') -> None:
        if future.cancelled():
            with self._changed:
                self._jobs = deque(job for job in self._jobs if job.future is not future)

    def _work(self) -> None:
        while batch := self._next():
            self._finish([job for job in batch if job.future.set_running_or_notify_cancel()])

    def _next(self) -> list[_Job[Item, Result]]:
        """Wait for a batch; an empty one is the end."""
        with self._changed:
            while True:
                if not self._jobs:
                    if self._closed:
                        return []
                    self._changed.wait()
                    continue
                first = self._jobs[0]
                batch = [job for job in self._jobs if job.key == first.key][:self.max_batch]
                left = first.arrival + self.max_wait - time.monotonic()
                if len(batch) == self.max_batch or left <= 0 or self._closed:
                    taken = {id(job) for job in batch}
                    self._jobs = deque(job for job in self._jobs if id(job) not in taken)
                    return batch
                self._changed.wait(left)

    def _finish(self, batch: Sequence[_Job[Item, Result]]) -> None:
        """Give a batch its results; if it fails, each of its items alone."""
        if not batch:
            return
        try:
            results = self._run([job.item for job in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for job in batch:
                self._finish([job])
            return
        for job, result in zip(batch, results, strict=True):
            job.future.set_result(result)
