"""Interleaved runs, so that whatever else the machine does hits both models alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .running import Runner


class Took(NamedTuple):
    """Seconds on the wall and of the processor; on a busy machine the second tells more."""

    wall: float
    cpu: float


def seconds_of(runner: Runner) -> Took:
    """Time of one run."""
    runner.prepare()
    runner.synchronize()
    start = time.perf_counter(), time.process_time()
    runner()
    return Took(time.perf_counter() - start[0], time.process_time() - start[1])


def interleave(runners: dict[str, Runner], runs: int, warmup: int,
               tick: Callable[[], None] = lambda: None) -> dict[str, list[Took]]:
    """Run the sides in turn.

    Args:
        runners: By side; run in this order.
        runs: Timed runs of each.
        warmup: Runs of each before that.
        tick: Called after every run.

    Returns:
        Times of the timed runs of each side.
    """
    seconds: dict[str, list[Took]] = {side: [] for side in runners}
    for run in range(-warmup, runs):
        for side, runner in runners.items():
            took = seconds_of(runner)
            if run >= 0:
                seconds[side].append(took)
            tick()
    return seconds


def summarize(seconds: Sequence[float]) -> dict[str, Any]:
    """Median and spread."""
    return dict(median=statistics.median(seconds), low=min(seconds), high=max(seconds),
                runs=list(seconds))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Theirs over ours of neighbouring runs: how many times as fast ours is."""
    pairs = [b / a for a, b in zip(ours, theirs)]
    return dict(median=statistics.median(pairs), low=min(pairs), high=max(pairs))
