"""Reproducible randomness inside the network, also in resumed trainings."""

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from glip_mm.datasets.stream import mix
from glip_mm.registry import FUNCTIONS, HOOKS


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Seed NumPy and Python in a worker of a data loader from PyTorch's seed of the epoch.

    As ``worker_init_fn=dict(type='glip_mm.seed_worker')``; MMEngine's own seeds every epoch alike.
    With :class:`StepSeedHook` and without ``persistent_workers``, an epoch's augmentation is the
    same whether the training was resumed or not.

    Args:
        worker_id: Index of the worker, part of PyTorch's seed already.
    """
    _seed(torch.initial_seed())


def _seed(value: int) -> None:
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value % 2**63)


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds the random generators at every training step from (seed, iteration, process).

    Dropout, stochastic depth and word masking are then the same in a resumed training as in an
    uninterrupted one, and no generator's state needs to be saved. They are seeded at the start of
    an epoch, too: data loaders draw the seeds of their workers, or the augmentation itself, from
    them.

    Args:
        seed: Random seed; default: the runner's (``randomness.seed``).
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def before_train_epoch(self, runner) -> None:
        """Seed Python's, NumPy's and torch's generators of this process."""
        self._seed(runner, 1)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed Python's, NumPy's and torch's generators of this process."""
        self._seed(runner)

    def _seed(self, runner, *purpose: int) -> None:
        seed = runner.seed if self.seed is None else self.seed
        _seed(mix(seed or 0, runner.iter, get_rank(), *purpose))
