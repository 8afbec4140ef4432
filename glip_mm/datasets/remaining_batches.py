"""Batches of a test that can be resumed."""

from collections.abc import Collection, Iterator, Sized
from typing import Any

from mmengine.dist import get_dist_info

from glip_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RemainingBatches:
    """Batch sampler of a resumable test: every image once, in fixed batches.

    A batch is predicted as a whole or not at all, and whole batches go to processes in turn: an
    image has the same neighbours in a resumed test and with any number of processes, so its
    prediction is bit-identical.

    Args:
        sampler: Sampler of the tested data set; its order is not used.
        batch_size: Number of images per batch; the last may be smaller.
        drop_last: Accepted because MMEngine passes it; no image is dropped.
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool = False) -> None:
        dataset: Sized = sampler.dataset
        self.batch_size = batch_size
        self.all = [list(range(i, min(i + batch_size, len(dataset))))
                    for i in range(0, len(dataset), batch_size)]
        self.mine: list[list[int]] = []
        self.leave_out(())

    def leave_out(self, done: Collection[int]) -> None:
        """Skip the batches whose images are all done."""
        rank, world_size = get_dist_info()
        done = set(done)
        self.mine = [b for b in self.all if not done.issuperset(b)][rank::world_size]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.mine)

    def __len__(self) -> int:
        return len(self.mine)
