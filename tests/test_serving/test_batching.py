"""Batches across threads: every item gets its own result, whatever comes together."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from glip_mm.serving.batching import Batcher


class Runner:
    """Squares numbers; the first batch waits until it may go."""

    def __init__(self):
        self.batches, self.go, self.begun = [], threading.Event(), threading.Event()

    def __call__(self, items):
        self.batches.append(list(items))
        self.begun.set()
        self.go.wait(30)
        if any(item < 0 for item in items):
            raise ValueError(f'negative in {items}')
        return [item * item for item in items]


@pytest.fixture
def runner():
    return Runner()


@pytest.fixture
def batcher(runner):
    batcher = Batcher(runner, lambda item: item % 2, max_batch=3, max_wait=0)
    yield batcher
    runner.go.set()
    batcher.close()


def held(batcher, runner, items):
    """Submit items while a first batch is in work; returns their results to come."""
    batcher.submit(100)
    assert runner.begun.wait(30)
    return [batcher.submit(item) for item in items]


def test_the_oldest_and_its_kind_come_first(batcher, runner):
    futures = held(batcher, runner, [1, 2, 3, 4, 5, 7, 6])
    assert len(batcher) == 7
    runner.go.set()
    assert [future.result(30) for future in futures] == [1, 4, 9, 16, 25, 49, 36]
    assert runner.batches == [[100], [1, 3, 5], [2, 4, 6], [7]]


def test_a_failure_costs_its_own_item(batcher, runner):
    futures = held(batcher, runner, [1, -1, 3])
    runner.go.set()
    assert futures[0].result(30) == 1 and futures[2].result(30) == 9
    with pytest.raises(ValueError, match=r'negative in \[-1\]'):
        futures[1].result(30)


def test_what_is_cancelled_leaves_the_queue(batcher, runner):
    futures = held(batcher, runner, [2, 4, 6])
    assert futures[1].cancel() and len(batcher) == 2
    runner.go.set()
    assert futures[2].result(30) == 36 and runner.batches[1] == [2, 6]


def test_an_item_waits_for_others_but_not_for_ever(runner):
    runner.go.set()
    batcher = Batcher(runner, lambda item: 0, max_batch=2, max_wait=30)
    start = time.monotonic()
    futures = [batcher.submit(1), batcher.submit(2)]  # a full batch goes at once
    assert [future.result(20) for future in futures] == [1, 4] and runner.batches == [[1, 2]]
    assert time.monotonic() - start < 30
    batcher.close()
    batcher = Batcher(runner, lambda item: 0, max_batch=2, max_wait=0.01)
    assert batcher.submit(3).result(20) == 9
    batcher.close()
    with pytest.raises(RuntimeError, match='closed'):
        batcher.submit(1)


def test_what_waits_is_finished_at_the_end(batcher, runner):
    futures = held(batcher, runner, range(10))
    runner.go.set()
    batcher.close()
    assert [future.result(0) for future in futures] == [i * i for i in range(10)]


def test_many_threads(runner):
    runner.go.set()
    batcher = Batcher(runner, lambda item: item % 3, max_batch=4, max_wait=0.001)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda item: batcher.submit(item).result(30), range(300)))
    assert found == [i * i for i in range(300)]
    batcher.close()
    assert sorted(sum(runner.batches, [])) == list(range(300))
    assert all(len(batch) <= 4 and len({i % 3 for i in batch}) == 1 for batch in runner.batches)
