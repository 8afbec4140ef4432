"""Training loops that resume in the middle of an epoch."""

from typing import Any

import torch
from mmengine.dist import broadcast
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from glip_mm.registry import LOOPS


def start_at(dataloader: DataLoader, batch: int) -> None:
    """Start a data loader's next iteration at a batch of the whole training.

    Raises:
        TypeError: If its batch sampler does not support that.
    """
    sampler: Any = dataloader.batch_sampler
    if not hasattr(sampler, 'start_at'):
        raise TypeError(
            f'train_cfg.type needs a loader that can start anywhere, and train_dataloader has the '
            f"batch sampler {type(sampler).__name__}: set batch_sampler=dict(type="
            "'StreamBatchSampler') with a GroundingStream, or use MMEngine's own loop")
    sampler.start_at(batch)


def keep_order(runner: Runner, dataloader: DataLoader) -> None:
    """Pass the run's seed to the data loader's stream, and check its order when resuming.

    Raises:
        ValueError: If a resumed training was run with another total batch size.
    """
    start_at(dataloader, 0)
    seed = torch.tensor([getattr(runner, 'seed', None) or 0])
    broadcast(seed)  # diff_rank_seed gives each process another one
    sampler, info = dataloader.batch_sampler, runner.message_hub.runtime_info
    if hasattr(dataloader.dataset, 'follow'):
        dataloader.dataset.follow(int(seed))
    order, before = getattr(sampler, 'order', {}), info.get('order_of_samples', {})
    for key in (k for k in order if k in before and order[k] != before[k]):
        if key == 'images_per_step':
            raise ValueError(
                f'the checkpoint counts iterations of {before[key]} images, this training of '
                f'{order[key]}: keep train_dataloader.batch_size x processes, or start a new '
                'schedule from the weights with load_from instead of resuming')
        runner.logger.warning(f"the order of samples changes: {key} was {before[key]}, now "
                              f'{order[key]}; the rest of the epoch may repeat samples')
    runner.message_hub.update_info('order_of_samples', order)


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's epoch loop; resumed inside an epoch, it continues with the very next batch."""

    def run(self) -> Any:
        """Run the training and return the model."""
        keep_order(self.runner, self.dataloader)
        return super().run()

    def run_epoch(self) -> None:
        """Run an epoch, or the rest of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        start_at(self.dataloader, self._iter)
        # after a checkpoint of an epoch's last iteration only the hooks after the epoch remain
        if done < len(self.dataloader):
            for index, batch in enumerate(self.dataloader, start=done):
                self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


class _Batches:
    """Endless batches of a data loader; the first ``skip`` are counted but never loaded."""

    def __init__(self, dataloader: DataLoader, skip: int) -> None:
        self.dataloader, self.skip = dataloader, skip
        start_at(dataloader, skip)
        self.iterator: Any = None

    def __iter__(self) -> '_Batches':
        return self

    def __next__(self) -> Any:
        if self.skip > 0:
            self.skip -= 1
            return None
        while True:
            if self.iterator is None:
                self.iterator = iter(self.dataloader)
            try:
                return next(self.iterator)
            except StopIteration:
                self.iterator = None


@LOOPS.register_module()
class ResumableIterLoop(IterBasedTrainLoop):
    """MMEngine's iteration loop; resumed, it loads no batch that was trained on already."""

    def run(self) -> Any:
        """Run the training and return the model."""
        keep_order(self.runner, self.dataloader)
        # the base class advances its iterator by the number of trained batches
        self.dataloader_iterator = _Batches(self.dataloader, self._iter)
        return super().run()
