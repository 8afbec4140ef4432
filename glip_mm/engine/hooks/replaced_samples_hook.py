"""Number of training samples that could not be used, for the results of a run."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.data_error import read_json
from glip_mm.evaluation.tested_datasets import tested_datasets
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class ReplacedSamplesHook(Hook):
    """Writes ``replaced_samples.json`` after each epoch: cause -> number of samples replaced.

    Data sets with ``on_bad='replace'`` take another sample where one cannot be read, and count it
    each time. Nothing is written where there was none. A resumed training goes on counting.
    """

    priority = 'LOW'
    file_name = 'replaced_samples.json'

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()

    def before_train(self, runner: Runner) -> None:
        """Read the counts of the training that is resumed, if it is one."""
        path = Path(runner.work_dir) / self.file_name
        if is_main_process() and path.is_file():
            if runner.epoch or runner.iter:
                self._before.update(read_json(path))
            else:
                path.unlink()  # of a training that begins anew

    def after_train_epoch(self, runner: Runner) -> None:
        """Write the counts of all processes."""
        own: Counter[str] = Counter()
        for dataset in tested_datasets(runner.train_loop.dataloader.dataset, repeated=True):
            counter: Any = getattr(dataset.dataset, 'counter', None)
            own.update(getattr(counter, 'causes', {}))
        counts = sum(all_gather_object(own), self._before)
        if is_main_process() and counts:
            write_atomically(Path(runner.work_dir) / self.file_name,
                             json.dumps(counts, indent=1).encode())
