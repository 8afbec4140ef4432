"""Interleaved timing, so that disturbances affect both models alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .running import Runner


class Took(NamedTuple):
    """Wall-clock and CPU seconds; on a busy machine CPU seconds are more reliable."""

    wall: float
    cpu: float


def seconds_of(runner: Runner) -> Took:
    """Time a run."""
    runner.prepare()
    runner.synchronize()
    start = time.perf_counter(), time.process_time()
    runner()
    return Took(time.perf_counter() - start[0], time.process_time() - start[1])


def interleave(runners: dict[str, Runner], runs: int, warmup: int,
               tick: Callable[[], None] = lambda: None) -> dict[str, list[Took]]:
    """Run the models in turn.

    Args:
        runners: Side -> its runner, in the order of running.
        runs: Number of timed runs of each.
        warmup: Number of untimed runs of each before that.
        tick: Function called after every run.

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
    """Compute median and spread."""
    return dict(median=statistics.median(seconds), low=min(seconds), high=max(seconds),
                runs=list(seconds))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Compute theirs over ours of neighbouring runs: the speed-up of ours."""
    pairs = [b / a for a, b in zip(ours, theirs)]
    return dict(median=statistics.median(pairs), low=min(pairs), high=max(pairs))
