"""Training loops that resume in the middle of an epoch."""

from typing import Any

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader

from glip_mm.registry import LOOPS


def start_at(dataloader: DataLoader, batch: int) -> None:
    """Let a loader's next iteration begin with a batch of the whole training.

    Raises:
        TypeError: If its batch sampler cannot.
    """
    sampler = dataloader.batch_sampler
    if not hasattr(sampler, 'start_at'):
        raise TypeError(
            f'train_cfg.type needs a loader that can start anywhere, and train_dataloader has the '
            f"batch sampler {type(sampler).__name__}: set batch_sampler=dict(type="
            "'StreamBatchSampler') with a GroundingStream, or use MMEngine's own loop")
    sampler.start_at(batch)


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's epochs; resumed in the middle of one, it goes on with the very next batch."""

    def run_epoch(self) -> None:
        """Run an epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        start_at(self.dataloader, self._iter)
        # a checkpoint of an epoch's last iteration leaves nothing but what follows the epoch
        if done < len(self.dataloader):
            for index, batch in enumerate(self.dataloader, start=done):
                self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


class _Batches:
    """Endless batches of a loader; the first ``skip`` are counted but never made."""

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
    """MMEngine's iterations; resumed, it reads nothing of what was trained on already."""

    def run(self) -> Any:
        """Train. Returns the model."""
        # the base class advances its iterator by as many batches as were trained
        self.dataloader_iterator = _Batches(self.dataloader, self._iter)
        return super().run()
