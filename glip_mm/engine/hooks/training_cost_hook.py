"""Measurement of a training run's time and memory."""

import json
import time
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.atomic_files import write_atomically
from glip_mm.peak_memory import peak_rss
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class TrainingCostHook(Hook):
    """Writes time and memory of a training run to a JSON file in its work directory.

    The file holds ``train_seconds`` (wall clock between start and end of training, validation and
    checkpoints included; over a resumed run the sum up to the checkpoint plus the rest),
    ``peak_rss_mb`` (of this process plus the largest of its ended children; 0 where it is
    unknown), ``iterations``, ``seconds_per_iteration`` and ``threads``.

    Args:
        filename: Name of the file.
    """

    priority = 'VERY_LOW'

    def __init__(self, filename: str = 'training_cost.json') -> None:
        self.filename = filename
        self._before = 0.
        self._peak_before = 0.
        self._start = 0.

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def cost(self, runner: Runner) -> dict[str, float]:
        """Return the cost so far."""
        seconds = self._before + time.perf_counter() - self._start
        peak = (peak_rss(children=True) or 0) / 2**20
        return dict(train_seconds=round(seconds, 2),
                    peak_rss_mb=round(max(peak, self._peak_before), 1),
                    iterations=runner.iter,
                    seconds_per_iteration=round(seconds / max(runner.iter, 1), 4),
                    threads=torch.get_num_threads())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the cost in the checkpoint, for a run that resumes from it."""
        checkpoint['training_cost'] = self.cost(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Continue counting from the checkpoint's cost."""
        if runner._resume and 'training_cost' in checkpoint:
            self._before = checkpoint['training_cost']['train_seconds']
            self._peak_before = checkpoint['training_cost']['peak_rss_mb']

    def after_train(self, runner: Runner) -> None:
        """Write the JSON file."""
        if is_main_process():
            cost = self.cost(runner)
            write_atomically(Path(runner.work_dir) / self.filename,
                             (json.dumps(cost, indent=2) + '\n').encode())
            runner.logger.info(f"training took {cost['train_seconds']:.0f} s and "
                               f"{cost['peak_rss_mb']:.0f} MiB")
