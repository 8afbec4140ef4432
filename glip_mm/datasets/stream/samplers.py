"""Samplers of a stream: distribution of draws to processes and batches."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from glip_mm.registry import DATA_SAMPLERS

from .grounding_stream import GroundingStream
from .permutation import mix


@DATA_SAMPLERS.register_module()
class StreamSampler(Sampler):
    """Sampler of the draws of one epoch of a :class:`GroundingStream`, for this process.

    Batches, epochs and resuming are :class:`StreamBatchSampler`'s, which must be the
    ``batch_sampler`` of a training.

    Args:
        dataset: Stream to sample from.
        seed: Random seed of the run, given by MMEngine; for a stream that has none of its own.
    """

    def __init__(self, dataset: GroundingStream, seed: int | None = None) -> None:
        if not isinstance(dataset, GroundingStream):
            raise TypeError(f'StreamSampler reads a GroundingStream, got {type(dataset).__name__}: '
                            'set train_dataloader.dataset.type or sampler.type')
        self.dataset = dataset
        if seed is not None:
            dataset.follow(seed)
        self.rank, self.world_size = get_dist_info()

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.rank, len(self), self.world_size))

    def __len__(self) -> int:
        return len(self.dataset)


@DATA_SAMPLERS.register_module()
class StreamBatchSampler(Sampler):
    """Batch sampler of draws that groups images by orientation.

    Batch ``n`` of all processes together holds the draws of its *window*: ``window`` successive
    batches distribute their draws by orientation, and the remainders of both form a mixed batch. A
    window depends on nothing before it, so a resumed training starts at any batch at once and
    reads the same draws as an uninterrupted one. All processes have images of one orientation at a
    time, which balances their load.

    Args:
        sampler: Sampler of draws, a :class:`StreamSampler`.
        batch_size: Number of images per process.
        drop_last: Must be true: draws that fill no batch are carried over to the next epoch instead
            of being lost.
        window: Number of batches that distribute their draws together.
        group: Whether to group by orientation.
    """

    def __init__(self, sampler: StreamSampler, batch_size: int, drop_last: bool = True,
                 window: int = 64, group: bool = True) -> None:
        if not isinstance(sampler, StreamSampler):
            raise TypeError(f'StreamBatchSampler needs a StreamSampler, got '
                            f'{type(sampler).__name__}: set train_dataloader.sampler.type')
        if not drop_last:
            raise ValueError('StreamBatchSampler.drop_last must stay True: no draw is lost, the '
                             'rest of an epoch opens the next one')
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
        self.window, self.group = window, group
        self.start = 0
        if not len(self):
            raise ValueError(f'an epoch of {len(sampler)} samples holds no batch of {batch_size} '
                             f'images on {sampler.world_size} processes: lower '
                             'train_dataloader.batch_size')

    @property
    def total_batch(self) -> int:
        """Return the number of images of all processes in one step."""
        return self.batch_size * self.sampler.world_size

    def __len__(self) -> int:
        return len(self.sampler) // self.total_batch

    @property
    def order(self) -> dict[str, Any]:
        """Return all settings that the order of draws depends on."""
        stream = self.sampler.dataset
        return dict(images_per_step=self.total_batch, samples_per_epoch=list(stream.counts),
                    seed=stream.seed, window=self.window if self.group else 1)

    def start_at(self, batch: int) -> None:
        """Start the next iteration at batch ``batch`` of the whole training.

        The iteration ends with the last batch of the epoch that this batch lies in.
        """
        self.start = batch

    def __iter__(self) -> Iterator[list[int]]:
        first = self.start
        end = first - first % len(self) + len(self)
        self.start = end  # without start_at() the next epoch continues here
        members: list[np.ndarray] = []
        for batch in range(first, end):
            window, place = divmod(batch, self.window)
            if not members or place == 0:
                members = self._window(window)
            mine = members[place][self.sampler.rank * self.batch_size:][:self.batch_size]
            yield mine.tolist()

    def _window(self, window: int) -> list[np.ndarray]:
        """Return the draws of each batch of all processes in a window."""
        size = self.window * self.total_batch
        draws = np.arange(window * size, (window + 1) * size)
        if not self.group:
            return np.split(draws, self.window)
        portrait = self.sampler.dataset.portrait(draws)
        batches, rest = [], []
        for group in (draws[portrait], draws[~portrait]):
            full = len(group) // self.total_batch * self.total_batch
            batches += [group[i:i + self.total_batch] for i in range(0, full, self.total_batch)]
            rest.append(group[full:])
        leftover = np.concatenate(rest)
        batches += [leftover] if len(leftover) else []
        order = np.random.RandomState(mix(self.sampler.dataset.seed, window) % 2**32)
        return [batches[i] for i in order.permutation(len(batches))]
