"""Test loop that resumes where it was interrupted, and stores its predictions on disk."""

import logging
import time
from pathlib import Path
from typing import Any

import torch
from mmengine._strategy.fsdp import FSDPStrategy
from mmengine.dist import (
    barrier,
    broadcast_object_list,
    get_rank,
    is_main_process,
)
from mmengine.runner import Runner, TestLoop
from mmengine.runner.amp import autocast
from torch.utils.data import DataLoader

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.remaining_batches import RemainingBatches
from glip_mm.evaluation.fingerprint import differences, fingerprint, key_of
from glip_mm.evaluation.predictions import PredictionStore, PredictionWriter
from glip_mm.evaluation.preflight import check_test
from glip_mm.evaluation.scoring import score, to_prediction
from glip_mm.evaluation.tested_datasets import TestedDataset, tested_datasets
from glip_mm.registry import LOOPS, type_name
from glip_mm.text import Prompt

from .patience import others_alive, patient_group

#: Version of the store's format in ``meta.json``.
FORMAT = 1


@LOOPS.register_module()
class ResumableTestLoop(TestLoop):
    """Predicts every image once, stores predictions in ``WORK_DIR/predictions``, scores them.

    The same command after an interruption predicts only the missing images, with bit-identical
    results: images stay in the same batches, whatever is done and however many
    processes share the work. Each process writes files; the first one reads them all and scores
    alone, so nothing is gathered through devices, and only the metrics' state is kept in memory.
    Predictions of other weights, settings or annotations are moved to ``predictions.replaced``,
    and the log says what differs.

    A data loader with another order (any ``sampler`` but ``DefaultSampler`` without ``shuffle``, a
    ``batch_sampler``, an iterable data set) is tested as by MMEngine's loop, with a warning.

    Args:
        runner: Runner of the test.
        dataloader: Data loader of the test, or its config.
        evaluator: Evaluator of the test, or its config.
        fp16: Whether to use autocast, see MMEngine.
        resume: Whether to use existing predictions. Drawn images (``--show-dir``) need new
            predictions of all images.
        save_every: Number of images after which a process writes a part.
        save_seconds: Seconds after which a process writes a part in any case.
        preflight: Reaction to a mismatch between classes, annotations and prompts: ``'error'``,
            ``'warn'``, or ``'off'`` (no checks).

    Raises:
        ValueError: If ``preflight`` has another value.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, evaluator: Any,
                 fp16: bool = False, resume: bool = True, save_every: int = 64,
                 save_seconds: float = 60., preflight: str = 'error') -> None:
        if preflight not in ('error', 'warn', 'off'):
            raise ValueError("test_cfg.preflight must be 'error', 'warn' or 'off', got "
                             f'{preflight!r}')
        self.reason = why_not(dataloader) or _why_not_sharded(runner)
        if not self.reason and isinstance(dataloader, dict):
            dataloader = dict(dataloader, batch_sampler=dict(type='glip_mm.RemainingBatches'))
            dataloader.pop('drop_last', None)
        super().__init__(runner, dataloader, evaluator, fp16)
        self.resume, self.save_every, self.save_seconds = resume, save_every, save_seconds
        self.preflight = preflight

    @property
    def folder(self) -> Path:
        """Return the folder of the predictions."""
        return Path(self.runner.work_dir) / 'predictions'

    @property
    def datasets(self) -> list[TestedDataset]:
        """Return the tested data sets."""
        return tested_datasets(self.dataloader.dataset,
                               getattr(self.evaluator, 'dataset_prefixes', None))

    def run(self) -> dict[str, float]:
        """Run the test.

        Returns:
            Results of the metrics.
        """
        if self.preflight != 'off':
            check_test(self.datasets, self.evaluator, self.runner.model,
                       strict=self.preflight == 'error', work_dir=self.runner.work_dir)
        if self.reason:
            self.runner.logger.warning(f'this test cannot be resumed or scored again: '
                                       f'{self.reason}')
            return super().run()
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        group = patient_group()
        done, now = self._start()
        self._predict(done, key_of(now))
        # a failed process must not leave the others to score incomplete predictions
        with others_alive():
            barrier(group)
        metrics: list[Any] = [None]
        if is_main_process():
            store = PredictionStore(self.folder)
            check_run(store, now)
            metrics = [dict(score(store, self.evaluator, len(self.dataloader.dataset)))]
        with others_alive():
            broadcast_object_list(metrics, group=group)
        self.runner.call_hook('after_test_epoch', metrics=metrics[0])
        self.runner.call_hook('after_test')
        return metrics[0]

    def _start(self) -> tuple[set[int], dict[str, str]]:
        """Return the indices of the images predicted before, and the fingerprint of this run."""
        state: list[Any] = [None, None]
        if is_main_process():
            now = fingerprint(self.runner.model, self.runner.cfg, self.datasets)
            state = [self._look_at_before(now), now]
            meta = dict(format=FORMAT, fingerprint=now, num_images=len(self.dataloader.dataset),
                        datasets=[d.facts() for d in self.datasets])
            PredictionWriter(self.folder, meta)
        broadcast_object_list(state)
        return state[0], state[1]

    def _look_at_before(self, now: dict[str, str]) -> set[int]:
        logger = self.runner.logger
        if not (self.folder / 'meta.json').is_file():
            return set()
        try:
            store = PredictionStore(self.folder)
            check_run(store)
        except ValueError as error:
            raise DataError(str(error)) from error
        found = differences(store.meta.get('fingerprint', {}), now)
        if self.resume and not found:
            if store.done:
                logger.info(f"{len(store)} of {len(self.dataloader.dataset)} images in "
                            f"'{self.folder}' were predicted before by the same weights, settings "
                            'and data and are not predicted again')
            return store.done
        aside = self.folder.with_name('predictions.replaced')
        remove_store(aside)
        self.folder.rename(aside)
        why = 'of a run that differs:\n  ' + '\n  '.join(found[:20]) if found else (
            'not used, as test_cfg.resume=False asks')
        logger.warning(f"'{self.folder}' holds predictions {why}\nThey are now in '{aside}'; all "
                       'images are predicted anew')
        return set()

    @torch.no_grad()
    def _predict(self, done: set[int], key: str) -> None:
        batches: RemainingBatches = self.dataloader.batch_sampler
        batches.leave_out(done)
        writer = PredictionWriter(self.folder, None, get_rank(), key)
        datasets, last = self.datasets, time.monotonic()
        # data loader workers must not start if all images are done
        for i, (indices, batch) in enumerate(zip(batches.mine, self.dataloader
                                                 if batches.mine else ())):
            self.runner.call_hook('before_test_iter', batch_idx=i, data_batch=batch)
            with autocast(enabled=self.fp16):
                outputs = self.runner.model.test_step(batch)
            if len(outputs) != len(indices):
                raise RuntimeError(
                    f'the model returned {len(outputs)} samples for a batch of {len(indices)} '
                    "images: set test_cfg=dict(type='TestLoop') for models that do so")
            for index, sample in zip(indices, outputs):
                classes = next(d.classes for d in reversed(datasets) if index >= d.start)
                writer.add(to_prediction(index, sample, classes, names_of(sample, classes)))
            self.runner.call_hook('after_test_iter', batch_idx=i, data_batch=batch,
                                  outputs=outputs)
            if (len(writer.waiting) >= self.save_every
                    or time.monotonic() - last > self.save_seconds):
                writer.flush()
                last = time.monotonic()
        writer.close()


def check_run(store: PredictionStore, now: dict[str, str] | None = None) -> None:
    """Check that stored predictions are of one run, and of the present one.

    Args:
        store: Stored predictions.
        now: Fingerprint of the present run; None: of the run that began them.

    Raises:
        DataError: If another run has written into the folder; says what differs.
    """
    stored = store.meta.get('fingerprint', {})
    found = differences(stored, stored if now is None else now)
    if found:
        raise DataError(f"'{store.folder}' was replaced by another run during this one:\n  "
                        + '\n  '.join(found[:20]) + '\nrun the test again, alone in its --work-dir')
    strange = sorted(path.name for path, key in store.keys.items() if key not in (
        '', key_of(stored)))
    if strange:
        raise DataError(f"'{store.folder}' has predictions of another run in {len(strange)} parts, "
                        f'the first is {strange[0]}: delete these and run the same test again')


def names_of(sample: Any, classes: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names of a sample's labels; ``None`` for the classes of its data set."""
    text = sample.get('text', None)
    if isinstance(text, (list, tuple)):
        return None if tuple(text) == classes else tuple(text)
    try:
        return tuple(Prompt.from_data_sample(sample).names)
    except (ValueError, TypeError):  # a detector without prompts
        return None


def _why_not_sharded(runner: Runner) -> str | None:
    shared = isinstance(getattr(runner, 'strategy', None), FSDPStrategy)
    return 'processes that share a sharded model need equally many batches' if shared else None


def why_not(dataloader: Any) -> str | None:
    """Return the reason why a test cannot be resumed; None if it can."""
    if not isinstance(dataloader, dict):
        ours = isinstance(getattr(dataloader, 'batch_sampler', None), RemainingBatches)
        return None if ours else 'test_dataloader was built before the loop'
    sampler = dataloader.get('sampler') or {}
    kind = type_name(sampler)
    if kind != 'DefaultSampler' or sampler.get('shuffle', True):
        return (f'test_dataloader.sampler is {dict(sampler)}, where it needs '
                "dict(type='DefaultSampler', shuffle=False)")
    if dataloader.get('batch_sampler'):
        return f'test_dataloader.batch_sampler is {dict(dataloader["batch_sampler"])}'
    if 'num_batch_per_epoch' in dataloader:
        return 'test_dataloader.num_batch_per_epoch is set'
    return None


def remove_store(folder: Path) -> None:
    """Delete the files of a store, and its folder if nothing else is in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name == 'meta.json' or path.name.startswith(('part-', '.part-', '.meta.json')):
            path.unlink()
    try:
        folder.rmdir()
    except OSError:
        logging.getLogger(__name__).warning("'%s' holds files of yours and stays", folder)
