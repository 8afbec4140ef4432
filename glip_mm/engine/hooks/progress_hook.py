"""Progress of a run on the screen."""

import sys
from collections.abc import Mapping
from time import monotonic
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from glip_mm.registry import HOOKS

#: Seconds from a line to the next where the output is no terminal.
PAUSE = 30


class Progress:
    """Progress bar on a terminal; elsewhere a line per tenth of the steps, and none soon after one.

    Args:
        title: Name of the task.
        total: Number of steps.
        done: Number of steps done by an earlier run.
        lines: Whether to print lines where the output is no terminal.
    """

    def __init__(self, title: str, total: int, done: int = 0, lines: int = 10) -> None:
        self.title, self.total, self.done, self.lines = title, max(total, 1), done, lines
        self.first = done
        self.start = self.shown = monotonic()
        self.bar = tqdm(desc=title, total=total, initial=done, mininterval=0.5,
                        dynamic_ncols=True) if sys.stderr.isatty() else None

    def step(self, note: str = '') -> None:
        """Count a step.

        Args:
            note: Text behind the numbers.
        """
        before, self.done = self.done, self.done + 1
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update()
        elif self.lines * before // self.total < self.lines * self.done // self.total:
            now = monotonic()
            if now - self.shown < PAUSE and self.done < self.total:
                return
            self.shown = now
            pace = (now - self.start) / (self.done - self.first)
            print(f'{self.title}: {self.done}/{self.total}, {pace:.2f} s a step, '
                  f'{clock(pace * (self.total - self.done))} left{note and ", "}{note}',
                  file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the progress bar."""
        if self.bar is not None:
            self.bar.close()


def clock(seconds: float) -> str:
    """Format seconds: ``83`` -> ``'1:23'``, with hours from an hour on."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'


def metric_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Join metrics that differ in the last part of their name: ``'coco: AP 0.4  AP50 0.6'``."""
    groups: dict[str, list[str]] = {}
    for key, value in metrics.items():
        group, _, name = key.rpartition('/')
        shown = f'{value:.4g}' if isinstance(value, (int, float)) else str(value)
        groups.setdefault(group, []).append(f'{name} {shown}')
    return [f'{group or "metrics"}: ' + '  '.join(row) for group, row in groups.items()]


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows the progress of training, validation and test, the remaining time, and the metrics."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._shown: Progress | None = None

    def _begin(self, title: str, total: int, done: int = 0, lines: int = 10) -> None:
        self._shown = Progress(title, total, done, lines) if is_main_process() else None

    def _step(self, note: str = '') -> None:
        if self._shown is not None:
            self._shown.step(note)

    def _end(self, runner: Runner | None = None, metrics: dict | None = None) -> None:
        if self._shown is not None:
            self._shown.close()
            if runner is not None:
                for line in metric_lines(metrics or {}):
                    runner.logger.info(line)
        self._shown = None

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the progress bar, or continue it after a validation."""
        self._begin('training', runner.max_iters, runner.iter)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Count an iteration."""
        history = runner.message_hub.log_scalars.get('train/loss')
        note = f'loss {history.current():.3g}' if history is not None else ''
        self._step(note)

    def after_train_epoch(self, runner: Runner) -> None:
        """End the progress bar: a validation may follow."""
        self._end()

    def before_val_epoch(self, runner: Runner) -> None:
        """Start the progress bar of the validation."""
        self._end()  # the bar of a training by iterations, which continues afterwards
        self._begin('validation', len(runner.val_dataloader), lines=1)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                       outputs: Any = None) -> None:
        """Count a batch."""
        self._step()

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """End the progress bar, and continue that of a training by iterations."""
        self._end(runner, metrics)
        if 0 < runner.iter < runner.max_iters:
            self._begin('training', runner.max_iters, runner.iter)

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start the progress bar at the first batch: only now the number of batches is known."""
        if self._shown is None:
            self._begin('test', len(runner.test_dataloader))

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                        outputs: Any = None) -> None:
        """Count a batch."""
        self._step()

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """End the progress bar and show the metrics."""
        self._end(runner, metrics)
